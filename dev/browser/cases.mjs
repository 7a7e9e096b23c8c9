// What must hold: one file per promise, each for the seats it concerns.

import { ended } from "./cases/ended.mjs";
import { missing } from "./cases/missing.mjs";
import { path } from "./cases/path.mjs";
import { race } from "./cases/race.mjs";
import { streams } from "./cases/streams.mjs";
import { tab } from "./cases/tab.mjs";
import { unwatched } from "./cases/unwatched.mjs";
import { watch } from "./cases/watch.mjs";
import { web } from "./cases/web.mjs";
import { RACES, SEATS } from "./seat.mjs";

/** Every case: its line, and what to do in its setting. */
export function all() {
  const everyone = SEATS.flatMap((publisher) => SEATS.map((viewer) => [publisher, viewer]));
  const alone = SEATS.map((seat) => [seat, seat]);
  // The other side is the newest library, which is known to work.
  const publishers = SEATS.map((seat) => [seat, SEATS[0]]);
  const racing = RACES.map((seat) => [seat, seat]);
  return [
    ...promise("watch", everyone, watch),
    ...promise("streams", alone, streams),
    ...promise("ended", alone, ended),
    ...promise("tab closed", publishers, tab),
    ...promise("unwatched", alone, unwatched),
    ...promise("missing", alone, missing),
    ...promise("path", alone, path),
    ...promise("race", racing, race),
    ...promise("web", publishers, web),
  ];
}

function promise(name, pairs, run) {
  return pairs.map(([publisher, viewer]) => ({
    name: `${name.padEnd(10)} ${String(publisher).padStart(14)} to ${viewer}`,
    run: (setting) => run(setting, publisher, viewer),
  }));
}
