// Devices: what paints. A device is a slot on a host; a worker takes one at its start, beats, and may be paused.

import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.js';
import type { Device } from '../generated/prisma/client.js';
import { CHANGES } from '../store/client.js';
import { readSql } from '../store/sql.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize } from './access.js';
import { audit } from './audit.js';
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

/** Changes what a device was told and writes the audit event; nothing where it stands so already. Throws AppError NOT_FOUND. */
async function tellDevice(
  { store, viewer }: Services,
  action: 'pauseDevice' | 'resumeDevice',
  id: string,
  change: (before: Device) => Pick<Device, 'pausedAt' | 'pauseReason'>,
): Promise<Device> {
  return store.prisma.$transaction(async (tx) => {
    // Locked, so that what the event says stood before did so.
    await tx.$queryRaw`SELECT id FROM device WHERE id = ${id}::uuid FOR UPDATE`;
    const found = await tx.device.findUnique({ where: { id } });
    if (!found) throw new AppError('NOT_FOUND', 'no such device', { field: 'id' });
    const after = change(found);
    const before = { pausedAt: found.pausedAt, pauseReason: found.pauseReason };
    if (after.pausedAt === before.pausedAt && after.pauseReason === before.pauseReason) return found;
    const device = await tx.device.update({ where: { id }, data: after });
    await audit(tx, viewer, { action, type: 'Device', id, before, after });
    return device;
  });
}

/** Keeps a device from taking jobs; the one that it paints is finished. Pausing again keeps time, and changes the reason. */
export async function pauseDevice(services: Services, id: string, reason: string): Promise<Device> {
  authorize(services.viewer, 'pauseDevice');
  const pauseReason = reason.trim();
  if (pauseReason === '' || pauseReason.length > 500)
    throw new AppError('BAD_INPUT', 'say why, in 1 to 500 characters', { field: 'reason' });
  return tellDevice(services, 'pauseDevice', id, ({ pausedAt }) => ({
    pausedAt: pausedAt ?? new Date(),
    pauseReason,
  }));
}

/** Pauses the device of a worker that cannot go on by itself, such as on a full disk, until somebody resumes it. */
export async function pauseOwnDevice(services: Services, workerId: string, reason: string): Promise<void> {
  const device = await services.store.prisma.device.findUnique({ where: { workerId } });
  if (!device) return;
  // The word of a person stands.
  await tellDevice(services, 'pauseDevice', device.id, (before) =>
    before.pausedAt ? before : { pausedAt: new Date(), pauseReason: reason },
  );
}

/** Lets a device take jobs again. */
export async function resumeDevice(services: Services, id: string): Promise<Device> {
  authorize(services.viewer, 'resumeDevice');
  const device = await tellDevice(services, 'resumeDevice', id, () => ({
    pausedAt: null,
    pauseReason: null,
  }));
  await services.store.pool.query('SELECT pg_notify($1, $2)', [CHANGES, '']);
  return device;
}
