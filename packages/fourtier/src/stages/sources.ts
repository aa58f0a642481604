/** Whether encoders and answers are there. */

import { learnsFromWords, needsAnswers, sourceOfAnswers, trainedMethods } from "../requirements.ts"
import { ZERO_SHOT } from "../text/settings.ts"
import { openTextEncoder } from "../text/targets.ts"
import type { StageContext } from "./context.ts"
import { visualEncoder } from "./features.ts"

/**
 * That there are both encoders and a source of answers, as far as the configuration needs them: before anything is measured.
 * @throws FourtierError as they would later
 */
export async function checkSources(data: string, { config }: StageContext): Promise<void> {
  const zeroShot = config.methods.includes(ZERO_SHOT)
  if (needsAnswers(config, data)) sourceOfAnswers(data, config)
  if (zeroShot || trainedMethods(config).length > 0) await visualEncoder(config)
  if (zeroShot || learnsFromWords(config)) await (await openTextEncoder(config.text)).release()
}

/** That answers and what embeds them are there, before anything is measured. @throws FourtierError as they would later */
export async function checkAnswerSources(data: string, { config }: StageContext): Promise<void> {
  sourceOfAnswers(data, config)
  await (await openTextEncoder(config.text)).release()
}
