// More groups than a session may have streams at first: each gets there, one after the other.

/** Browsers and WebSocket peers let a peer open a hundred streams before they grant more. */
const GROUPS = 250;

export async function streams(setting, publishing, watching) {
  const { publisher, viewer } = await setting.live(publishing, watching);
  for (let sequence = 0; sequence < GROUPS; sequence++) {
    setting.at = `group ${sequence} arrives`;
    const written = [publisher.write(sequence, [0]), publisher.finish(sequence)];
    await Promise.all([...written, viewer.read(1, sequence, [0])]);
    await viewer.finished(sequence);
  }
}
