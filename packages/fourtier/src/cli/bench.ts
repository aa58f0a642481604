/** `fourtier bench`: measurements on this machine. */

import { Command, Option } from "commander"
import type { BenchEncoderOptions } from "./actions/bench-encoder.ts"
import { configOptions, DATA, listOf, settingsOptions, wholeNumber, wholeNumberIn } from "./options.ts"

export function benchCommand(): Command {
  return new Command("bench")
    .description("measure parts of the method on this machine")
    .addCommand(encoderCommand())
    .addCommand(guardCommand())
}

function encoderCommand(): Command {
  return settingsOptions(new Command("encoder"))
    .description(
      "compare the encoder in float32, float16 and int8: size, time, memory, features; score it on labelled clips",
    )
    .argument("[data]", "clips, as for `fourtier run`; default: a few rendered ones")
    .option("--precision <list>", "precisions to compare with float32, separated by commas", "float16,int8")
    .option("--clips <n>", "clips to encode, evenly spread over the data", wholeNumber, 6)
    .option("--rounds <n>", "how often each clip is timed", wholeNumber, 3)
    .option("--neighbours <n>", "labelled clips for the nearest-neighbour score; 0: skip it", wholeNumberIn(0), 200)
    .addOption(
      new Option("--batches <list>", "clips to encode at a time in float32; 1: skip this part")
        .default([2, 4, 8], "2,4,8")
        .argParser(listOf(wholeNumber)),
    )
    .option("--threads <n>", "threads of the encoder (default: runtime.threads, else one per core)", wholeNumber)
    .option("--json <file>", "also write all results to this file")
    .addHelpText("after", HELP)
    .action(async (data: string | undefined, options: BenchEncoderOptions) => {
      const { benchEncoder } = await import("./actions/bench-encoder.ts")
      await benchEncoder(data, options)
    })
}

function guardCommand(): Command {
  return configOptions(new Command("guard"))
    .description("how often pseudo-labels are accepted: with the clips' own answers, and with shuffled ones")
    .argument("<data...>", `${DATA}; labelled, with answers`)
    .option("--draws <n>", "draws of 2, 6 or 12 classes and 1, 2 or 4 labels per class", wholeNumber, 200)
    .addHelpText("after", GUARD_HELP)
    .action(async (data: string[], options: { draws: number }) => {
      const { benchGuard } = await import("./actions/bench-guard.ts")
      await benchGuard(data, options)
    })
}

const GUARD_HELP = `
Good draws are those whose pseudo-labels, from the answers alone, are right for
at least 85 % of the clips. Test clips are left out.`

const HELP = `
Two encoders run at a time, each in a process of its own, and alternate clip by
clip with float32, so that a busy machine slows both alike.

With labels in the data, the first lines say how often a clip's nearest other
clip has its label: by cosine of the features in float32, averaged over frames
and places, each channel standardised over the clips. Where the table has
groups, also with clips of other groups alone. Clips that the split column
gives to a test part are left out, so that an encoder may be chosen by this
score.

Columns:
  file MB       the graph with its weights, as ONNX
  load s        reading or making the weights, building and loading the graph
  ms            median time per clip
  speed-up      relative to float32 in the same turns
  cpu speed-up  the same in CPU time of all threads together: read this one on a
                busy machine
  cosine        similarity to the features of float32, place by place: the mean
                over the clips and, in brackets, the lowest clip
  centred       the same after subtracting the mean feature, which is stricter
  memory MB     peak of the process, loading included; and while encoding

Examples:
  fourtier bench encoder clips/ --set encoder.kind=clip \\
    encoder.checkpoint=ViT-B-16.pt
  fourtier bench encoder -c config.yaml --precision int8 --batches 1
  fourtier bench encoder clips/ --precision float32 --batches 1`
