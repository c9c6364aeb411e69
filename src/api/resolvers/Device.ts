// What paints.

import type { DeviceResolvers } from '../../generated/graphql.js';
import { isOnline } from '../../services/devices.js';
import { encodeId } from '../ids.js';

export const Device: DeviceResolvers = {
  id: ({ id }) => encodeId('Device', id),
  name: ({ host, slot }) => `${host}/${slot}`,
  state: (device) => (isOnline(device) ? (device.pausedAt ? 'PAUSED' : 'ONLINE') : 'OFFLINE'),
  seenAt: ({ beatAt }) => beatAt,
};
