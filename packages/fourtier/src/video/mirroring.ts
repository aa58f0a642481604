/**
 * Mirrored views, and data in which a side makes the class: a mirrored "left" looks like "right". Where a table says so in its
 * column `sides`, clips are not mirrored; where names alone speak of sides, that is said.
 */

import type { Crops, Step } from "@fourtier/core/schemas"
import { examples, type Finding } from "./findings.ts"

/** The steps of a run, as `views` has them. */
interface Views {
  train: { steps: readonly Step[] }
  align?: { steps: readonly Step[] } | null
  test: { steps: readonly Step[]; crops?: Crops | null }
}

/** Words for sides and turning directions, in a few languages. */
const SIDES = new RegExp(
  [
    "(left|right)(hand|handed|foot|footed|arm|leg|ward|wards|side)?",
    "(anti|counter)?clockwise",
    "links|rechts|linke[rsn]?|rechte[rsn]?",
    "gauche|droite|izquierd[ao]|derech[ao]|esquerd[ao]|direit[ao]|sinistr[ao]|destr[ao]",
    "lew[oay]|praw[oay]|лев\\p{L}+|прав\\p{L}+|налево|направо|влево|вправо",
  ]
    .map((words) => `(?:${words})`)
    .join("|")
    .replace(/^/, "^(?:")
    .concat(")$"),
  "iu",
)

/** Class names that tell left from right. */
function sided(classes: readonly string[]): string[] {
  return classes.filter((name) => {
    const words = name.replaceAll(/(\p{Ll})(\p{Lu})/gu, "$1 $2").match(/\p{L}+/gu) ?? []
    return words.some((word) => SIDES.test(word)) || /[左右]/u.test(name)
  })
}

const mirrors = (step: Step) =>
  step.step === "flip" || step.step === "mirrored" || (step.step === "crop" && step.views === "ten")

/** The steps without those that mirror. */
export function unmirrored(steps: readonly Step[]): Step[] {
  return steps.flatMap((step): Step[] =>
    step.step === "crop" && step.views === "ten" ? [{ ...step, views: "center" }] : mirrors(step) ? [] : [step],
  )
}

/** Whether the tables say that a side makes the class: a column `sides` with yes, true or 1 in a row of any clip. */
export function tellsSides(clips: readonly { columns: Readonly<Record<string, string>> }[]): boolean {
  return clips.some(({ columns }) => /^(?:yes|true|1)$/i.test(columns.sides?.trim() ?? ""))
}

/** The views as they are used for these clips: mirrored only where no table says that a side makes the class. */
export function viewsFor<V extends Views>(
  views: V,
  clips: readonly { columns: Readonly<Record<string, string>> }[],
): V {
  if (!tellsSides(clips) || !PARTS.some((part) => isMirrored(views, part))) return views
  const { train, align, test } = views
  return {
    ...views,
    train: { ...train, steps: unmirrored(train.steps) },
    ...(align ? { align: { ...align, steps: unmirrored(align.steps) } } : {}),
    // ten crops are five and their mirror images
    test: { ...test, steps: unmirrored(test.steps), ...(test.crops === 10 ? { crops: 1 as const } : {}) },
  }
}

const PARTS = ["train", "align", "test"] as const

function isMirrored(views: Views, part: (typeof PARTS)[number]): boolean {
  return (views[part]?.steps ?? []).some(mirrors) || (part === "test" && views.test.crops === 10)
}

/** Classes that name a side, while views are mirrored: a mirrored "left" looks like "right". */
export function checkMirroring(classes: readonly string[], views: Views): Finding[] {
  const names = sided(classes)
  const settings = PARTS.flatMap((part) => {
    if (!isMirrored(views, part)) return []
    const steps = `'views.${part}.steps=${JSON.stringify(unmirrored(views[part]?.steps ?? []))}'`
    return part === "test" && views.test.crops === 10 ? [steps, "views.test.crops=1"] : [steps]
  })
  if (names.length === 0 || settings.length === 0) return []
  return [
    {
      level: "warning",
      where: "views",
      what: "class names hold a side while clips are mirrored, which makes left of right",
      found: examples(names),
      fix: `turn mirroring off: --set ${settings.join(" ")}`,
    },
  ]
}
