// Who takes part: a library and the door it comes through.

/** The published libraries, oldest last; each has a page of that name. */
export const LIBRARIES = ["net", "lite", "kixelated"];

export class Seat {
  /** One of `LIBRARIES`. */
  library;
  /** `wt`, `ws`, or `race`: both at once, and whichever answers first. */
  door;
  /** What must be negotiated; undefined when it depends on who answers first. */
  version;

  constructor(library, door, version) {
    this.library = library;
    this.door = door;
    this.version = version;
  }

  toString() {
    return `${this.library}/${this.door}`;
  }
}

/** Every seat with the version it gets from a relay that serves them all. */
export const SEATS = [
  new Seat("net", "wt", "moq-lite-05 webtransport"),
  new Seat("net", "ws", "moq-lite-05 websocket"),
  new Seat("lite", "wt", "moq-lite-04"),
  new Seat("lite", "ws", "moq-lite-02"),
  new Seat("kixelated", "wt", "moq-lite-01"),
  new Seat("kixelated", "ws", "moq-lite-01"),
];

/** Every library with both doors open. */
export const RACES = LIBRARIES.map((library) => new Seat(library, "race"));
