// A viewer that was there first and one that comes late see the same broadcast, from its announcement to its end.

import { WHOLE } from "../setting.mjs";

export async function watch(setting, publishing, watching) {
  // Timestamps are part of a frame from moq-lite-05 on, which only one library has.
  const timed = publishing.library === "net" && watching.library === "net";
  const early = await setting.viewer(watching);
  const publisher = await setting.publisher(publishing);
  await setting.reach(publisher, early);

  setting.at = "frames arrive one by one";
  for (const index of WHOLE) {
    await publisher.write(0, [index]);
    await early.read(1, 0, [index], timed);
  }
  await publisher.finish(0);
  await early.finished(0);
  for (const sequence of [1, 2]) await setting.group(publisher, [early], sequence, { timed });

  const [before, after] = [WHOLE.slice(0, 3), WHOLE.slice(3)];
  setting.at = "half a group arrives";
  await publisher.write(3, before);
  await early.read(1, 3, before, timed);
  const late = await setting.viewer(watching);
  await setting.found(late);
  setting.at = "the late viewer gets half a group from the cache";
  await late.watch(setting.name);
  await late.read(1, 3, before, timed);
  setting.at = "both viewers get the other half";
  await publisher.write(3, after);
  await publisher.finish(3);
  const viewers = [early, late];
  await Promise.all(viewers.map((viewer) => viewer.read(1, 3, after, timed)));
  await Promise.all(viewers.map((viewer) => viewer.finished(3)));
  await setting.group(publisher, viewers, 4, { timed });

  await publisher.leave();
  await Promise.all(viewers.map((viewer) => setting.gone(viewer)));
  setting.at = "the track ends";
  await Promise.all(viewers.map((viewer) => viewer.over()));
}
