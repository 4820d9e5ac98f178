import { expect, test } from "vitest";
import { FrameReader } from "../src/api/sse";

test("frames come out whole however the bytes are cut", () => {
  const text = 'id: 7\n\n: still here\n\nid: 8\ndata: {"a":1}\n\nid: 9\ndata: x\ndata: y\n\n';
  const whole = [{ id: "7" }, {}, { id: "8", data: '{"a":1}' }, { id: "9", data: "x\ny" }];
  for (let size = 1; size <= text.length; size++) {
    const reader = new FrameReader();
    const frames = [];
    for (let i = 0; i < text.length; i += size) frames.push(...reader.read(text.slice(i, i + size)));
    expect(frames).toEqual(whole);
  }
});
