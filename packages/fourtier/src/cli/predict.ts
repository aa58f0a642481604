/** `fourtier predict <bundle> <video...>`: the action in videos, or in every video of a folder. */

import { Command } from "commander"
import type { PredictOptions } from "./actions/predict.ts"
import { wholeNumber } from "./options.ts"

export function predictCommand(): Command {
  return new Command("predict")
    .description("recognise the action in videos, or in every video of a folder")
    .argument("<bundle>", "bundle that `fourtier run` exported")
    .argument("<video...>", "video files, or folders of videos")
    .option("-k, --top <n>", "number of guesses to show", wholeNumber, 3)
    .option("--views <grid>", "views of a clip: temporal clips x crops, such as 4x3 (default: the bundle's)")
    .option("--json", "print one line of JSON per video")
    .option("--csv", "print a CSV table: path, label, probability, label_2, ...")
    .option("--provider <name>", "device: auto, cpu, cuda, webgpu, coreml, dml", "auto")
    .option("--workers <n>", "threads that decode (default: one per core)", wholeNumber)
    .option("--threads <n>", "threads of ONNX Runtime (default: one per core)", wholeNumber)
    .action(async (bundle: string, videos: string[], options: PredictOptions) => {
      const { predict } = await import("./actions/predict.ts")
      await predict(bundle, videos, options)
    })
}
