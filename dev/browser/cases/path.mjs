// The path of the URL is the root of the session: what is published and found below it is relative to it.

export async function path(setting, publishing, watching) {
  const publisher = await setting.client(publishing, setting.prefix);
  await publisher.announce("camera", 1);
  const outside = await setting.viewer(watching);
  await setting.found(outside);

  const inside = await setting.client(watching, setting.prefix);
  await inside.discover("");
  setting.at = "the broadcast is announced below the path";
  const { path, active } = await inside.change();
  if (path !== "camera" || !active) throw new Error(`${path} is announced instead of camera`);
  await inside.watch("camera");
  await publisher.wanted(true);
  await setting.group(publisher, [inside], 0);
}
