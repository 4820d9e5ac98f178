// Server-sent events out of a byte stream. `EventSource` cannot carry the token in a header.

export interface Frame {
  id?: string;
  data?: string;
}

/** Takes text in pieces; gives out whole frames. A comment (a sign of life) is an empty frame. */
export class FrameReader {
  private rest = "";

  read(piece: string): Frame[] {
    this.rest += piece;
    const frames: Frame[] = [];
    for (let end = this.rest.indexOf("\n\n"); end >= 0; end = this.rest.indexOf("\n\n")) {
      frames.push(parse(this.rest.slice(0, end)));
      this.rest = this.rest.slice(end + 2);
    }
    return frames;
  }
}

function parse(text: string): Frame {
  const frame: Frame = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") frame.id = value;
    if (name === "data") frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`;
  }
  return frame;
}
