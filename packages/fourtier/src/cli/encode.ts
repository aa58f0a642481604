/** `fourtier encode <config>`: a network with given weights on given arrays; every output as `.npy`. */

import { Command } from "commander"
import type { EncodeOptions } from "./actions/encode.ts"
import { wholeNumber } from "./options.ts"

export function encodeCommand(): Command {
  return new Command("encode")
    .description("run a network on given arrays and write every output as .npy")
    .argument("<config>", "JSON file with the network's sizes (docs/encoders.md), or the folder with config.json")
    .requiredOption(
      "-w, --checkpoint <file>",
      "file of weights, hub id hf:owner/name, or random[:seed]; once more for each file of a network in several",
      (file: string, before?: string[]) => [...(before ?? []), file],
    )
    .option("--section <name>", "part of a PyTorch file that holds the weights, such as model_ema")
    .option("--prefix <text>", "only tensors whose names begin with this, without it, such as visual.")
    .requiredOption(
      "-i, --input <file...>",
      "arrays <input name>.npy; further inputs next to a given file are read too, and a folder stands for all inputs in it",
    )
    .requiredOption("-o, --out <folder>", "where to write <output name>.npy")
    .option("--intermediates", "also write intermediate results, to <folder>/intermediates")
    .option("--threads <n>", "threads of ONNX Runtime (default: one per core)", wholeNumber)
    .action(async (config: string, options: EncodeOptions) => {
      const { encode } = await import("./actions/encode.ts")
      await encode(config, options)
    })
}
