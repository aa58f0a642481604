/** How clips are seen, and what that costs. */

import { countViews, type ViewRecipe, withViewGrid } from "@fourtier/core/frames"
import { type Method, methodNamed, titleOf } from "@fourtier/core/model"
import type { Step } from "@fourtier/core/schemas"
import type { Config } from "../config.ts"
import { costOfView } from "../encoders/cost.ts"
import type { VisualEncoder } from "../encoders/encoder.ts"
import { publishedCost } from "../evaluate/published.ts"
import type { TestedViews } from "../evaluate/results.ts"

/** How clips are seen. */
export interface ViewRecipes {
  /** In stage 1. */
  align: ViewRecipe
  /** In stage 2, and by the probes. */
  train: ViewRecipe
  /** In validation and test. */
  test: ViewRecipe
}

/** How clips are seen in training and in evaluation, fitted to the encoder: its frames, and steps that end at its resolution. */
export function viewRecipes({ views, seed }: Config, encoder: VisualEncoder): ViewRecipes {
  const sampling = { ...views.sampling, frames: encoder.frames }
  const drawn = ({ draws, steps }: Config["views"]["train"]): ViewRecipe => {
    return { sampling, steps: fitSteps(steps, encoder), draws: { count: draws, seed } }
  }
  const { clips, crops, steps } = views.test
  const test = { sampling: { ...sampling, clips }, steps: fitSteps(steps, encoder), draws: null }
  return {
    align: drawn(views.align ?? views.train),
    train: drawn(views.train),
    test: crops === null ? test : withViewGrid(test, { clips, crops }, "views.test.crops"),
  }
}

/** The steps with all their sizes scaled so that the last one gives the encoder's frames; where these are no squares, a letterbox does. */
function fitSteps(steps: readonly Step[], { resolution: [height, side] }: Pick<VisualEncoder, "resolution">): Step[] {
  const last = steps.findLast((step) => "size" in step)
  if (last?.step === "letterbox" && height !== side) {
    return steps.map((step) => (step === last ? { ...last, size: side, height } : step))
  }
  if (!last || !("size" in last) || last.size === side) return [...steps]
  const { size } = last
  return steps.map((step) => ("size" in step ? { ...step, size: Math.round((step.size * side) / size) } : step))
}

/** What is tested on how many views of a clip, and what that costs: of the encoder, and of the methods that the paper has. */
export async function testedViews(
  encoder: VisualEncoder,
  methods: readonly Method[],
  head: { classes: readonly string[]; prompts: readonly string[]; textWidth: number },
  config: Config,
): Promise<TestedViews> {
  const { clips, crops } = countViews(viewRecipes(config, encoder).test)
  const { name, frames, resolution } = encoder
  const about = { clips, crops, encoder: name, frames, resolution }
  const networkCost = (title: string, { weights, macs }: { weights: number; macs: number }, ftp: boolean | null) => {
    const published = ftp === null ? null : publishedCost({ ...about, ftp })
    return { name: title, weights, macs, tflops: (clips * crops * macs) / 1e12, published }
  }
  const networks = [networkCost("encoder", await (encoder.whole ?? encoder.flops)(), false)]
  for (const method of methods) {
    const { aligned, shuffled } = methodNamed(method)
    const own = { ...head, classes: head.classes.length, model: config.model }
    const cost = shuffled ? null : await costOfView(encoder, method, own)
    if (cost) networks.push(networkCost(titleOf(method), cost, aligned && head.prompts.length > 0 ? true : null))
  }
  return { ...about, networks }
}
