import { expect, test } from 'vitest';
import {
  FRAME_HEADER_BYTES,
  FrameKind,
  frameCluster,
  frameDefect,
  frameFrom,
  frameKind,
  framePayload,
  frameTemplate,
  frameTo,
  frameVersion,
  joinFrame,
} from './frames.ts';
import { decodeRefusal, encodeRefusal } from './refusal.ts';

const BIG = 2 ** 53 - 1;
const template = frameTemplate(3, BIG, 1, BIG - 2);
const head = new Uint8Array([1, 2, 3]);
const body = new Uint8Array([4, 5]);

test('a frame says where it comes from and goes to, and holds its parts joined', () => {
  const frame = joinFrame(template, FrameKind.bulk, [head, body]);
  expect(frame.length).toBe(FRAME_HEADER_BYTES + 5);
  expect(frameDefect(frame)).toBe(null);
  expect([frameVersion(frame), frameKind(frame)]).toEqual([3, FrameKind.bulk]);
  expect([frameCluster(frame), frameFrom(frame), frameTo(frame)]).toEqual([BIG, 1, BIG - 2]);
  expect([...framePayload(frame)]).toEqual([1, 2, 3, 4, 5]);
  expect(framePayload(joinFrame(template, FrameKind.ping, [])).length).toBe(0);
});

test('the checksum covers the header and the first part, bit by bit', () => {
  const frame = joinFrame(template, FrameKind.bulk, [head, body]);
  for (let bit = 0; bit < (FRAME_HEADER_BYTES + head.length) * 8; bit++) {
    const damaged = frame.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(frameDefect(damaged), `bit ${bit}`).not.toBe(null);
  }
});

test('what is too short is no frame', () => {
  const frame = joinFrame(template, FrameKind.bulk, [head]);
  for (let length = 0; length < frame.length; length++) {
    expect(frameDefect(frame.subarray(0, length))).not.toBe(null);
  }
});

test('a reason to refuse is cut, and freed from control characters', () => {
  const refusal = { duplicate: true, reason: 'because' };
  expect(decodeRefusal(encodeRefusal(refusal))).toEqual(refusal);
  const rude = new TextEncoder().encode('\u0000a\nforged log line\u001b[31m');
  expect(decodeRefusal(rude)).toEqual({ duplicate: false, reason: 'a forged log line [31m' });
  expect(decodeRefusal(new Uint8Array([0])).reason).toBe('no reason given');
  const long = decodeRefusal(encodeRefusal({ duplicate: false, reason: 'x'.repeat(10_000) }));
  expect(long.reason.length).toBe(400);
});
