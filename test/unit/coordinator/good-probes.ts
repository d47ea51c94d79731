import type { Probes, Situation } from "#coordinator/operations/add-node/situation.ts";
import { newcomerLogins } from "#coordinator/operations/add-node/plan/access-steps.ts";

/** Every host answers as a DBA hopes. */
export function goodProbes(situation: Situation): Probes {
  const { paths, address } = situation.newcomer.declared;
  const answered = <T>(answer: T) => ({ answer, problem: null });
  const directory = (path: string) => ({
    path,
    exists: false,
    writable: true,
    freeBytes: 500 * 1024 ** 3,
    freeInodes: 10_000_000,
    type: "ext4",
  });
  const vendor = situation.product.vendor !== null;
  return {
    target: answered({
      dataDirectory: {
        state: "absent" as const,
        mode: null,
        owner: null,
        isMountPoint: false,
        entries: [],
        parentWritable: true,
      },
      stagingState: "absent" as const,
      portInUse: false,
      addressIsLocal: true,
      nicPrefix: 24,
      directories: [
        paths.dataDirectory,
        situation.stagingDirectory,
        ...situation.tablespaces.map(({ to }) => to),
      ].map(directory),
      missingLibraries: [],
      missingExtensions: [],
      missingPrograms: [],
      locales: ["C", "C.utf8", "en_US.utf8"],
      licenceFile: vendor ? ("present" as const) : ("not-needed" as const),
      trustReachable: situation.declaration.trustAddresses.map((trust) => ({
        address: trust,
        reachable: true,
      })),
      kernel: {},
      clockMs: 0,
    }),
    logins: answered({
      results: newcomerLogins(situation).map((login) => ({
        login,
        ok: false,
        sqlState: "28000",
        message: `no pg_hba.conf entry for host "${address}"`,
        serverVersion: null,
        latencyMs: 1.5,
      })),
    }),
    reachFromNewcomer: answered({
      tcp: situation.managers.flatMap(({ declared }) => [
        { host: declared.address, port: declared.pool?.port ?? 0, answer: "open" as const },
        { host: declared.address, port: declared.pool?.pcpPort ?? 0, answer: "open" as const },
      ]),
      ssh: [],
    }),
    reachToNewcomer: new Map(
      situation.existing.map(({ declared }) => [
        declared.name,
        answered({
          tcp: [
            { host: address, port: situation.newcomer.declared.port, answer: "refused" as const },
          ],
          ssh:
            vendor && declared.pool !== null
              ? ["kingbase", "root"].map((user) => ({ host: address, user, ok: true, message: "" }))
              : [],
        }),
      ]),
    ),
    throughput: answered({ bytesPerSecond: 100 * 1024 ** 2 }),
    throughputFrom: "srv129",
    walRate: answered({ bytesPerSecond: 1024 ** 2 }),
  };
}
