// Where webhooks may be sent: addresses that a person gives must not make this server knock at its own network's doors.

import { BlockList, isIP, isIPv6 } from 'node:net';
import { AppError } from '../errors.js';

const PRIVATE = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  PRIVATE.addSubnet(net, bits, 'ipv4');
// Only 2000::/3 is given out for hosts; within it, Teredo and 6to4 hold addresses of version 4.
const GLOBAL_V6 = new BlockList();
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6');
PRIVATE.addSubnet('2001::', 32, 'ipv6');
PRIVATE.addSubnet('2002::', 16, 'ipv6');

/** Whether an IP address is the machine's own, of a private network, or of no host at all. */
export function isPrivateAddress(address: string): boolean {
  if (!isIPv6(address)) return isIP(address) === 0 || PRIVATE.check(address, 'ipv4');
  return !GLOBAL_V6.check(address, 'ipv6') || PRIVATE.check(address, 'ipv6');
}

/** The host of an address, without the brackets of version 6. */
export const hostOf = (url: URL) => url.hostname.replace(/^\[(.*)\]$/, '$1');

/**
 * An address as it is stored. Names are looked at again when they are resolved for a request: what they point to may change.
 * Throws AppError BAD_INPUT on `field`.
 */
export function checkWebhookUrl(text: string, allowPrivate: boolean, field: string): string {
  const refuse = (message: string): never => {
    throw new AppError('BAD_INPUT', message, { field });
  };
  if (text.length > 2000 || !URL.canParse(text)) refuse('give an address like https://example.org/hook');
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    refuse(`give an address that begins with https://${allowPrivate ? ' or http://' : ''}`);
  if (url.username || url.password)
    refuse('an address must not hold a password; verify the signature instead');
  url.hash = '';
  const host = hostOf(url);
  const local =
    host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && isPrivateAddress(host));
  if (local && !allowPrivate)
    refuse('private addresses are refused here; set WEBHOOK_PRIVATE_ADDRESSES=allow to allow them');
  return url.href;
}
