/** `fourtier watch <bundle> <source>`: what happens in front of a camera, as it happens. */

import { Command, InvalidArgumentError } from "commander"
import type { WatchOptions } from "./actions/watch.ts"
import { notNegative, positive, probability, wholeNumber } from "./options.ts"

export function watchCommand(): Command {
  return new Command("watch")
    .description("what happens in front of a camera or in a stream, as it happens")
    .argument("[bundle]", "bundle that `fourtier run` exported")
    .argument("[source]", "camera, camera:1, rtsp://…, http(s)://…, a file, or - for a pipe")
    .option("--list", "list the cameras of this machine")
    .option("--json", "print lines of JSON: start and end of actions, losses of the source")
    .option("--answers", "with --json: every answer as well")
    .option("--exec <command>", "run a command at each start and end: $FOURTIER_EVENT, _LABEL, …")
    .option("--post <url>", "send each start and end there, as JSON")
    .option("--on <p>", "probability from which an action may begin (default: 0.7)", probability)
    .option("--off <p>", "probability below which it ends (default: 0.15 less)", probability)
    .option("--least <s>", "seconds that it goes on before it counts (default: 0.5)", notNegative)
    .option("--window <s>", "seconds that an answer looks back (default: as the training clips)", positive)
    .option("--step <s>", "seconds between answers (default: the window over its frames)", positive)
    .option("--smoothing <s>", "seconds over which answers are averaged (default: 0)", notNegative)
    .option("--pace <factor>", "speed of a file, or max: every window, nothing dropped (default: 1)", pace)
    .option("--wait", "wait for a source that is not there yet")
    .option("--provider <name>", "device: auto, cpu, cuda, webgpu, coreml, dml", "auto")
    .option("--threads <n>", "threads of ONNX Runtime (default: one per core)", wholeNumber)
    .addHelpText("after", MORE)
    .action(async (bundle: string | undefined, source: string | undefined, options: WatchOptions) => {
      const { watch } = await import("./actions/watch.ts")
      await watch(bundle, source, options)
    })
}

const MORE = `
A source that is lost is tried again after 1, 2, 4, … 30 seconds. Ctrl-C ends.
A command gets FOURTIER_EVENT (start, end), FOURTIER_LABEL, FOURTIER_TIME,
FOURTIER_AT, FOURTIER_PROBABILITY, FOURTIER_SECONDS and FOURTIER_SOURCE, and
the same as JSON on its standard input.`

function pace(text: string): number | "max" {
  const value = Number(text)
  if (text === "max") return "max"
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError("Expected a number above 0, or max.")
}
