import { closeCodes } from "#shared/protocol/messages.ts";

/** soon: capped backoff. slowly: a person must do something first; trying often would only fill logs. */
export type ReconnectAdvice = { readonly pace: "soon" | "slowly"; readonly hint: string | null };

type LinkEnding = {
  readonly code: number | null;
  readonly httpStatus: number | null;
  readonly reason: string;
};

type Row = { readonly when: (end: LinkEnding) => boolean } & ReconnectAdvice;

/** First match wins. */
const rows: readonly Row[] = [
  {
    when: ({ code, httpStatus }) =>
      code === closeCodes.badSecret || httpStatus === 401 || httpStatus === 403,
    pace: "slowly",
    hint: "The coordinator does not know this agent's secret. Join again: castellan token create --node NAME",
  },
  {
    when: ({ code, httpStatus }) => code === closeCodes.wrongProtocol || httpStatus === 426,
    pace: "slowly",
    hint: "Install the same version of castellan-agent and of the coordinator.",
  },
  {
    when: ({ code }) => code === closeCodes.alreadyConnected,
    pace: "slowly",
    hint: "Another agent is connected as this node. Stop one of the two, or join it under its own name.",
  },
  {
    when: ({ reason }) => /self.signed certificate|not the pinned|unable to verify/i.test(reason),
    pace: "slowly",
    hint: "That address shows another certificate than the one pinned at join. If the coordinator was made anew, join again.",
  },
  {
    when: ({ reason }) => /certificate (has expired|is not yet valid)/i.test(reason),
    pace: "slowly",
    hint: "Compare this host's clock with the coordinator's.",
  },
  { when: () => true, pace: "soon", hint: null },
];

export function reconnectAdvice(end: LinkEnding): ReconnectAdvice {
  return rows.find((row) => row.when(end)) ?? { pace: "soon", hint: null };
}
