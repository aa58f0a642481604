/** What the classes are called: in the configuration, or else by the labels of the clips. */

import { FourtierError, nearest } from "@fourtier/tensor"
import type { Config } from "./config.ts"
import { readableName } from "./text/targets.ts"
import { checkClasses } from "./video/checks.ts"
import { isBackground, type Manifest } from "./video/manifest.ts"

type Named = Pick<Config, "classes">

/** The names in the configuration, or else these labels. */
export function namesOf(labels: readonly string[], { classes }: Named): readonly string[] {
  return classes?.map((one) => (typeof one === "string" ? one : one.name)) ?? labels
}

/**
 * Names of the classes: those of the configuration, or else of the clips' labels.
 * @throws FourtierError for fewer than two, or a label that the configuration does not list
 */
export function classesOf({ clips, classes: labels }: Pick<Manifest, "clips" | "classes">, config: Named): string[] {
  const names = [...namesOf(labels, config)]
  const [few] = checkClasses(names)
  if (few) throw new FourtierError(few)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new FourtierError({
      where: "classes",
      what: "a class is listed twice",
      found: twice,
      fix: "leave one of them out",
    })
  }
  const stranger = clips.find(({ label }) => label !== null && !isBackground(label) && !names.includes(label))
  if (!stranger) return names
  const close = nearest(stranger.label ?? "", names)
  throw new FourtierError({
    where: stranger.relative,
    what: "its label is not among the classes of the configuration",
    expected: names.join(", "),
    found: stranger.label ?? "",
    fix: close ? `use the name ${close}, or add the label to classes` : "add the label to classes, or remove it",
  })
}

/** The sentences about classes, by name. */
export function classSentences({ classes }: Named): ReadonlyMap<string, string> {
  return new Map(classes?.flatMap((one) => (typeof one === "string" ? [] : [[one.name, one.text] as const])))
}

/** What each class is called in words. */
export function classWords(names: readonly string[], config: Named): string[] {
  const sentences = classSentences(config)
  return names.map((name) => sentences.get(name) ?? readableName(name))
}
