// Devices: what paints. A device is a slot on a host; a worker takes one at its start, beats, and may be paused.

import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.js';
import type { Device } from '../generated/prisma/client.js';
import { CHANGES } from '../store/client.js';
import { readSql } from '../store/sql.js';
import { uuid7 } from '../store/uuid7.js';
import type { Services } from './context.js';
import { workerName } from './paint-job-attempts.js';
import { DEAD_AFTER_SECONDS } from './paint-job-estimates.js';

const TAKE = readSql('take-device');
const ADD = readSql('add-device');
const BEAT = readSql('beat-device');

/** Takes the first free slot of this host for a worker, or adds one. A paused slot stays paused. */
export async function takeDevice({ store }: Services, workerId: string): Promise<string> {
  for (;;) {
    const host = hostname();
    const taken = await store.pool.query<{ id: string }>(TAKE, [
      workerId,
      workerName(),
      host,
      DEAD_AFTER_SECONDS,
    ]);
    if (taken.rows[0]) return taken.rows[0].id;
    const added = await store.pool.query<{ id: string }>(ADD, [uuid7(), workerId, workerName(), host]);
    if (added.rows[0]) return added.rows[0].id;
    await sleep(20);
  }
}

/** Says that a worker lives. One that was taken for dead, and whose slot has gone to another, takes a slot anew. */
export async function beatDevice(services: Services, workerId: string): Promise<void> {
  const { rows } = await services.store.pool.query(BEAT, [workerId]);
  if (rows.length === 0) await takeDevice(services, workerId);
}

/** Gives a worker's slot back. */
export async function leaveDevice({ store }: Services, workerId: string): Promise<void> {
  await store.prisma.device.updateMany({ where: { workerId }, data: { workerId: null, worker: null } });
}

/** Whether a worker holds it and was heard of lately. */
export function isOnline({ workerId, beatAt }: Device, now = new Date()): boolean {
  return workerId !== null && now.getTime() - beatAt.getTime() < DEAD_AFTER_SECONDS * 1000;
}

/** Keeps a device from taking jobs; the one that it paints is finished. Pausing again keeps time, and changes the reason. */
export async function pauseDevice({ store }: Services, id: string, reason: string): Promise<Device> {
  const text = reason.trim();
  if (text === '' || text.length > 500)
    throw new AppError('BAD_INPUT', 'say why, in 1 to 500 characters', { field: 'reason' });
  await store.prisma.device.updateMany({ where: { id, pausedAt: null }, data: { pausedAt: new Date() } });
  const [device] = await store.prisma.device.updateManyAndReturn({
    where: { id },
    data: { pauseReason: text },
  });
  if (!device) throw new AppError('NOT_FOUND', 'no such device', { field: 'id' });
  return device;
}

/** Lets a device take jobs again. */
export async function resumeDevice({ store }: Services, id: string): Promise<Device> {
  const [device] = await store.prisma.device.updateManyAndReturn({
    where: { id },
    data: { pausedAt: null, pauseReason: null },
  });
  if (!device) throw new AppError('NOT_FOUND', 'no such device', { field: 'id' });
  await store.pool.query('SELECT pg_notify($1, $2)', [CHANGES, '']);
  return device;
}
