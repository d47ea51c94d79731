import { pino, stdSerializers, type Logger } from "pino";

export type Log = Logger;

/**
 * JSON lines on stdout (journald keeps them). Levels: error = someone should look; warn = it will be
 * tried again; info = a state changed; debug = the rest. Values under these keys are never printed.
 */
export function createLog(program: string, level: string = "info"): Log {
  return pino({
    level,
    base: { program },
    // Without it an Error under this name is logged as {}: its message is no property that JSON knows.
    serializers: { error: stdSerializers.err },
    redact: {
      paths: ["password", "secret", "token", "*.password", "*.secret", "*.token"],
      censor: "[secret]",
    },
  });
}
