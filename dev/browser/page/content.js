// What is sent: frames whose bytes follow from their place, so a viewer knows what to expect.

/** The track every test broadcast has. */
export const TRACK = "video";

/** How many frames a group has. */
export const FRAMES = 5;

/** Larger than the 256 KiB that WebSocket peers let a stream run ahead; three of these exceed what a session may. */
const LARGE = 400_000;

/**
 * Frame `index` of group `sequence`: small, empty, large, one that is older than its predecessor, small.
 *
 * `take` tells one broadcast of a name from the next.
 */
export function frame(take, sequence, index) {
  const label = `take ${take} group ${sequence} frame ${index}`;
  const millis = 1_000 + sequence * 50;
  switch (index % FRAMES) {
    case 1:
      return { payload: new Uint8Array(), millis: millis + 5 };
    case 2:
      return { payload: encode(label.repeat(Math.ceil(LARGE / label.length)).slice(0, LARGE)), millis: millis + 20 };
    case 3:
      return { payload: encode(label), millis: millis + 10 };
    default:
      return { payload: encode(label), millis: millis + index * 10 };
  }
}

/** What tells `got` from `want`, or nothing when they are the same. */
export function difference(got, want) {
  if (got.payload.byteLength !== want.payload.byteLength) {
    return `${got.payload.byteLength} bytes instead of ${want.payload.byteLength}`;
  }
  const at = want.payload.findIndex((byte, index) => byte !== got.payload[index]);
  if (at >= 0) return `byte ${at} differs`;
  if (got.millis !== undefined && got.millis !== want.millis) return `${got.millis} ms instead of ${want.millis}`;
}

function encode(text) {
  return new TextEncoder().encode(text);
}
