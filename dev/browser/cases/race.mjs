// A client that tries both doors at once leaves a session behind that nobody uses, and works through the other.

export async function race(setting, publishing, watching) {
  const { publisher, viewer } = await setting.live(publishing, watching);
  await setting.group(publisher, [viewer], 0);
  await setting.group(publisher, [viewer], 1);
  await publisher.leave();
  await setting.gone(viewer);
}
