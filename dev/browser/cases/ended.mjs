// A broadcast ends while its publisher stays, and comes again under the same name.

export async function ended(setting, publishing, watching) {
  const { publisher, viewer } = await setting.live(publishing, watching);
  await setting.group(publisher, [viewer], 0);
  await publisher.end();
  await setting.gone(viewer);
  setting.at = "the track ends";
  await viewer.over();
  await viewer.unwatch();

  await publisher.announce(setting.name, 2);
  await setting.reach(publisher, viewer);
  await setting.group(publisher, [viewer], 0, { take: 2 });
}
