import { networkInterfaces } from "node:os";

/** Whether this host has that address now. */
export function isOwnAddress(address: string): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some((one) => one.address === address),
  );
}
