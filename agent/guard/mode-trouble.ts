import type { HostEvent } from "../host-event.ts";
import type { GuardModes } from "./guard-modes.ts";

export type ModeTrouble = {
  look(now: number): void;
  /** Causes with an open alert. */
  openCauses(): readonly string[];
};

const cause = "guard-mode";

/** An alert while nothing is known of the mode that was set; not muted with the guard's rules. */
export function createModeTrouble(
  { guardModes, settings }: { readonly guardModes: GuardModes; readonly settings: { readonly node: string } }, // prettier-ignore
  onHostEvent: (event: HostEvent) => void,
  openBefore: readonly string[],
): ModeTrouble {
  let isOpen = openBefore.includes(cause);
  return {
    look: (at) => {
      const trouble = guardModes.trouble();
      if (isOpen === (trouble !== null)) return;
      isOpen = trouble !== null;
      onHostEvent(
        trouble === null
          ? { at, kind: "guard-cleared", cause, severity: "info", summary: "the guard's mode is known", detail: "" } // prettier-ignore
          : {
              at,
              kind: "guard-finding",
              cause,
              severity: "warning",
              summary: "the guard's mode was lost: it only observes",
              detail: `${trouble}\nnext: castellan guard maintenance ${settings.node} --end keeps it so; docs/guard.md`,
            },
      );
    },
    openCauses: () => (isOpen ? [cause] : []),
  };
}
