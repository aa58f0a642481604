/** Classes from their texts alone, where both encoders are the towers of one model. */

import { classSentences } from "../classes.ts"
import type { JointSpace } from "../encoders/encoder.ts"
import { examplesOf } from "../experiment/examples.ts"
import { sharedSpace, zeroShot } from "../experiment/zero-shot.ts"
import { extractFeatures } from "../features/extract.ts"
import { classTexts, embedClasses } from "../text/class-texts.ts"
import { ZERO_SHOT } from "../text/settings.ts"
import { openTextEncoder } from "../text/targets.ts"
import type { Split } from "../video/splits.ts"
import type { StageContext } from "./context.ts"
import { extractOptions, uniqueClips, visualEncoder } from "./features.ts"
import { viewRecipes } from "./views.ts"
import { cachedTexts } from "./words.ts"

/** What zero-shot classification needs before any clip is read. */
export interface ClassSpace {
  joint: JointSpace
  /** Embeddings of the classes' texts. */
  texts: Float32Array[]
}

/**
 * The classes in the space that both encoders share; null where nobody asks for zero-shot scores.
 * @throws FourtierError where they share none
 */
export async function embedClassTexts(
  classes: readonly string[],
  { config, reporter }: StageContext,
): Promise<ClassSpace | null> {
  if (!config.methods.includes(ZERO_SHOT)) return null
  const encoder = await visualEncoder(config)
  const texts = await cachedTexts(await openTextEncoder(config.text), config)
  try {
    const joint = sharedSpace(encoder, texts)
    const own = classTexts(classes, config.zeroShot, classSentences(config))
    reporter.say(`zero-shot: classes as "${own[0].join('", "')}", …`)
    return { joint, texts: await embedClasses(texts, own) }
  } finally {
    await texts.release()
  }
}

/** Probabilities of all test clips from class texts alone, by clip id. */
export async function zeroShotScores(
  { joint, texts }: ClassSpace,
  splits: readonly Split[],
  context: StageContext,
): Promise<ReadonlyMap<string, Float32Array>> {
  const clips = uniqueClips(splits, ({ test }) => test)
  const recipe = viewRecipes(context.config, joint.encoder).test
  const { store, views, failed } = await extractFeatures(clips, {
    ...extractOptions(context),
    encoder: joint.encoder,
    recipe,
  })
  try {
    if (failed.length > 0) throw failed[0].error
    return await zeroShot(joint, { source: store, examples: examplesOf(clips, views) }, texts)
  } finally {
    await store.close()
  }
}
