import { describe, expect, test } from 'vitest';
import type { Hello } from './contract.ts';
import {
  commonProtocol,
  decodeIntroduction,
  encodeIntroduction,
  equalInConstantTime,
  handshakeKey,
  handshakeProof,
  incompatibility,
  type Transcript,
} from './handshake.ts';
import { decodeHello, encodeHello } from './hello.ts';

const HELLO: Hello = {
  cluster: 2 ** 53 - 1,
  replica: 2 ** 53 - 2,
  node: 3,
  url: 'https://db.example/ü',
  boot: 12,
  recovering: true,
  sync: 'interval',
  index: 1_234_567,
  pristine: false,
  engine: 'sqlite/3.54.1/abc',
  protocol: [1, 4],
  nodes: [1, 2, 3],
  role: 'learner',
};

function filled(value: number, size = 32): Uint8Array {
  return new Uint8Array(size).fill(value);
}

const TRANSCRIPT: Transcript = {
  dialerNonce: filled(1),
  acceptorNonce: filled(2),
  dialerHello: filled(3, 80),
  acceptorHello: filled(4, 90),
};

describe('proofs', () => {
  const key = handshakeKey('a secret');
  const proof = handshakeProof(key, 'dialer', TRANSCRIPT);

  test('the same on both sides', () => {
    expect(proof.length).toBe(32);
    expect(handshakeProof(handshakeKey('a secret'), 'dialer', { ...TRANSCRIPT })).toEqual(proof);
  });

  test('differ by secret, by side, and by every byte that was said', () => {
    const others = [
      handshakeProof(handshakeKey('a secreT'), 'dialer', TRANSCRIPT),
      handshakeProof(handshakeKey(null), 'dialer', TRANSCRIPT),
      handshakeProof(key, 'acceptor', TRANSCRIPT),
      // What one side said is not what the other side said.
      handshakeProof(key, 'dialer', {
        dialerNonce: TRANSCRIPT.acceptorNonce,
        acceptorNonce: TRANSCRIPT.dialerNonce,
        dialerHello: TRANSCRIPT.acceptorHello,
        acceptorHello: TRANSCRIPT.dialerHello,
      }),
      // Nor can a byte move from one hello to the other.
      handshakeProof(key, 'dialer', {
        ...TRANSCRIPT,
        dialerHello: new Uint8Array([...TRANSCRIPT.dialerHello, 4]),
        acceptorHello: TRANSCRIPT.acceptorHello.subarray(1),
      }),
    ];
    for (const part of Object.keys(TRANSCRIPT) as (keyof Transcript)[]) {
      const changed = TRANSCRIPT[part].slice();
      changed[changed.length - 1]! ^= 1;
      others.push(handshakeProof(key, 'dialer', { ...TRANSCRIPT, [part]: changed }));
    }
    const distinct = new Set([proof, ...others].map((bytes) => bytes.join()));
    expect(distinct.size).toBe(1 + others.length);
  });

  test('comparing', () => {
    expect(equalInConstantTime(proof, proof.slice())).toBe(true);
    for (let i = 0; i < 32; i++) {
      const changed = proof.slice();
      changed[i]! ^= 128;
      expect(equalInConstantTime(proof, changed)).toBe(false);
    }
    expect(equalInConstantTime(proof, proof.subarray(0, 31))).toBe(false);
    expect(equalInConstantTime(proof, new Uint8Array(0))).toBe(false);
  });
});

describe('hellos', () => {
  test('come back as they went; a later release may append fields', () => {
    for (const hello of [
      HELLO,
      {
        ...HELLO,
        recovering: false,
        pristine: true,
        sync: 'os',
        role: 'voter',
        nodes: [],
      } as const,
      { ...HELLO, cluster: 0, url: '', sync: 'durable', engine: '' } as const,
    ]) {
      const bytes = encodeHello(hello);
      expect(decodeHello(bytes)).toEqual(hello);
      expect(decodeHello(new Uint8Array([...bytes, 1, 2, 3]))).toEqual(hello);
      const introduction = { nonce: filled(9), hello: bytes };
      expect(decodeIntroduction(encodeIntroduction(introduction))).toEqual(introduction);
    }
  });

  test('cut off anywhere, or absurd, they are refused', () => {
    const bytes = encodeHello(HELLO);
    for (let i = 0; i < bytes.length; i++) {
      expect(() => decodeHello(bytes.subarray(0, i))).toThrow(/malformed|cut off|no known/);
    }
    expect(() => decodeHello(encodeHello({ ...HELLO, replica: 0 }))).toThrow('no replica id');
  });
});

describe('who may talk', () => {
  const other: Hello = { ...HELLO, replica: 5, node: 2 };

  test('nodes of one cluster, or of none', () => {
    expect(incompatibility(HELLO, other)).toBe(null);
    expect(incompatibility({ ...HELLO, cluster: 0 }, other)).toBe(null);
    expect(incompatibility(HELLO, { ...other, cluster: 0 })).toBe(null);
    expect(incompatibility(HELLO, { ...other, cluster: 255 })).toBe(
      'another cluster: node 3 belongs to 1fffffffffffff, node 2 to 000000000000ff; ' +
        'correct nodes, or wipe the data folder of the one that is wrong, and it will join anew',
    );
    expect(incompatibility(HELLO, HELLO)).toContain('reached itself');
  });

  test('nodes that share a protocol version speak the newest one', () => {
    const speaks = (protocol: readonly [number, number]): Hello => ({ ...other, protocol });
    expect(commonProtocol(HELLO, speaks([2, 9]))).toBe(4);
    expect(commonProtocol(HELLO, speaks([1, 1]))).toBe(1);
    expect(commonProtocol(HELLO, speaks([4, 4]))).toBe(4);
    expect(commonProtocol(HELLO, speaks([5, 6]))).toBe(null);
    expect(incompatibility(HELLO, speaks([5, 6]))).toBe(
      'another protocol version: node 3 speaks 1 to 4, node 2 5 to 6; upgrade the older one',
    );
  });
});
