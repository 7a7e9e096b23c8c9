// The publisher's page is closed without a word of the library: the viewer learns it.

import { WHOLE } from "../setting.mjs";

export async function tab(setting, publishing, watching) {
  const { publisher, viewer } = await setting.live(publishing, watching);
  setting.at = "half a group arrives";
  await publisher.write(0, WHOLE.slice(0, 2));
  await viewer.read(1, 0, WHOLE.slice(0, 2));
  await publisher.close();
  await setting.gone(viewer);
  setting.at = "the track ends";
  await viewer.over();
}
