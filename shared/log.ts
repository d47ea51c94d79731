import { pino, type Logger } from "pino";

export type Log = Logger;

/**
 * JSON lines on stdout (journald keeps them). Levels: error = someone should look; warn = it will be
 * tried again; info = a state changed; debug = the rest. Values under these keys are never printed.
 */
export function createLog(program: string, level: string = "info"): Log {
  return pino({
    level,
    base: { program },
    redact: {
      paths: ["password", "secret", "token", "*.password", "*.secret", "*.token"],
      censor: "[secret]",
    },
  });
}
