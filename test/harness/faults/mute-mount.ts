import type { Host } from "../host.ts";
import { waitFor } from "../wait-for.ts";
import { faultUntil, type Fault } from "./fault.ts";

/** Whoever holds /dev/fuse is the file system's server: this one only sleeps. */
const serve = `exec 3<> /dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0,allow_other mute "$0"
exec sleep infinity`;

/**
 * A file system over `place` whose server never answers: every call below it blocks. Healing ends the server, so that
 * these calls fail, and shows what lay there before.
 */
export async function mountMute(host: Host, place: string): Promise<Fault> {
  const server = await host.spawn(["sh", "-ec", serve, place]);
  const isMounted = async (): Promise<boolean> => {
    const { exitCode } = await host.exec(["grep", "-q", `${place} .* fuse mute`, "/proc/self/mountinfo"], { reject: false }); // prettier-ignore
    return exitCode === 0;
  };
  await waitFor(isMounted, { what: `${place} to be mounted` });
  return faultUntil(async () => {
    await host.exec(["umount", "-l", place]);
    server.kill("SIGKILL");
    await server.exited;
  });
}
