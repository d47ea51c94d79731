import { ping } from "../adapters/ping.ts";
import { trustAddresses } from "../checks/trust-check.ts";
import { isCutOff } from "../decide/isolation.ts";
import type { GuardView } from "../decide/view.ts";
import type { Ports } from "../ports.ts";

/** Whether a trust address answers, while this host is a primary that reaches no majority. */
export type TrustLook = {
  answers(): boolean | null;
  /** After every look of the guard. */
  attend(view: GuardView): void;
};

const everyMs = 2_000;

export function createTrustLook({
  clock,
  programs,
  settings,
}: Pick<Ports, "clock" | "programs" | "settings">): TrustLook {
  let answers: boolean | null = null;
  let isAsking = false;
  let askedMs = Number.NEGATIVE_INFINITY;

  /** One answer is enough; where none is named nobody answers. */
  async function ask(addresses: readonly string[]): Promise<boolean> {
    const asked = await Promise.all(addresses.map((address) => ping(address, programs)));
    return asked.some(({ answer }) => answer === "alive");
  }

  return {
    answers: () => answers,
    attend: (view) => {
      if (!isCutOff(view)) {
        answers = null;
        return;
      }
      const now = clock.elapsedMs();
      if (isAsking || now - askedMs < everyMs) return;
      isAsking = true;
      askedMs = now;
      const addresses = trustAddresses(settings, view.cluster?.trustAddresses ?? [], view.facts.files); // prettier-ignore
      void ask(addresses)
        // What can't be asked is no reason to stop anything.
        .catch(() => true)
        .then((answer) => {
          answers = answer;
          isAsking = false;
        });
    },
  };
}
