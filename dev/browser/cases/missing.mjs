// Watching what nobody publishes ends, and the session goes on.

export async function missing(setting, publishing, watching) {
  const viewer = await setting.viewer(watching);
  setting.at = "the subscription is refused";
  await viewer.watch(`${setting.prefix}/nobody`);
  await viewer.over();
  await viewer.unwatch();

  const publisher = await setting.publisher(publishing);
  await setting.reach(publisher, viewer);
  await setting.group(publisher, [viewer], 0);
}
