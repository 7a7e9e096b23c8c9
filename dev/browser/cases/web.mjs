// A page of another origin lists and fetches over HTTP what a browser publishes.

export async function web(setting, publishing, watching) {
  const { publisher, viewer } = await setting.live(publishing, watching);
  await setting.group(publisher, [viewer], 0);

  setting.at = "the broadcast is listed";
  const listed = await viewer.get(setting.relay.url(`announced/${setting.prefix}`));
  if (listed.trim() !== "camera") throw new Error(`"${listed}" is listed instead of "camera"`);
  setting.at = "a frame is fetched";
  const got = await viewer.get(setting.relay.url(`fetch/${setting.name}/video?group=0&frame=0`));
  if (got !== "take 1 group 0 frame 0") throw new Error(`"${got}" is fetched`);
}
