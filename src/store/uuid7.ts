// Time-ordered ids (RFC 9562, version 7) for rows that hand-written SQL inserts; Prisma makes those of its own.

import { randomBytes } from 'node:crypto';

let last = 0n;

/** A new id, larger than every one that this process made before. */
export function uuid7(): string {
  // 48 bits of milliseconds and 12 bits that count within one.
  const now = BigInt(Date.now()) << 12n;
  last = now > last ? now : last + 1n;
  const random = randomBytes(8);
  random[0] = (random[0]! & 0x3f) | 0x80;
  const time = (last >> 12n).toString(16).padStart(12, '0');
  const count = (last & 0xfffn).toString(16).padStart(3, '0');
  const tail = random.toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
