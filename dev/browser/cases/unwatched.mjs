// When the last viewer leaves, the publisher is told; when one comes back, it publishes again.

export async function unwatched(setting, publishing, watching) {
  const { publisher, viewer } = await setting.live(publishing, watching);
  await setting.group(publisher, [viewer], 0);
  await viewer.unwatch();
  setting.at = "the publisher is unsubscribed";
  await publisher.wanted(false);

  setting.at = "the new subscription reaches the publisher";
  await viewer.watch(setting.name);
  await publisher.wanted(true);
  setting.at = "a new group arrives";
  await publisher.write(1, [0]);
  await publisher.finish(1);
  await viewer.skip(1);
  await viewer.read(1, 1, [0]);
}
