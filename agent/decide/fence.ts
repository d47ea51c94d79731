/** What a host is like before its database may start. */
export type FenceInput = {
  /** A primary was seen in it; or what was seen of it was lost. */
  readonly wasPrimary: boolean;
  /** The mode is enforce; with maintenance over it too, which is when hosts are restarted and pools fail over. */
  readonly isInCharge: boolean;
  readonly directory: "absent" | "no-database" | "incomplete" | "database";
  /** Of the live server of this directory. */
  readonly serverPid: number | null;
  readonly hasStandbyMarker: boolean;
  /** The guard itself starts it as the primary right now, after a majority said that it still is. */
  readonly isOpening: boolean;
};

/** refuse: nobody may start it. */
export type FenceVerdict = {
  readonly do: "write-marker" | "leave" | "refuse";
  readonly why: string;
};

type Row = FenceVerdict & { readonly when: (input: FenceInput) => boolean };

/** First match wins: a server that runs is never touched, and a copy that is not complete never started. */
const rows: readonly Row[] = [
  {
    when: ({ serverPid }) => serverPid !== null,
    do: "leave",
    why: "its server runs",
  },
  {
    when: ({ directory }) => directory === "absent" || directory === "no-database",
    do: "leave",
    why: "there is no database in it",
  },
  {
    when: ({ directory }) => directory === "incomplete",
    do: "refuse",
    why: "it is a copy that was never finished; opened as it is it could become a second primary",
  },
  {
    when: ({ hasStandbyMarker }) => hasStandbyMarker,
    do: "leave",
    why: "it starts as a standby",
  },
  {
    when: ({ isInCharge }) => !isInCharge,
    do: "leave",
    why: "the guard is not in charge of this host",
  },
  {
    when: ({ wasPrimary }) => !wasPrimary,
    do: "leave",
    why: "no primary was ever seen in it",
  },
  {
    when: ({ isOpening }) => isOpening,
    do: "leave",
    why: "the guard opens it as the primary that it still is",
  },
];

/** What no row leaves alone. */
const fenced: FenceVerdict = {
  do: "write-marker",
  why: "it was a primary, and another one may have taken its place since",
};

export function judgeFence(input: FenceInput): FenceVerdict {
  const { do: verdict, why } = rows.find((row) => row.when(input)) ?? fenced;
  return { do: verdict, why };
}
