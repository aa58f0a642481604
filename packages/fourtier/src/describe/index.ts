/**
 * Descriptions of clips by a vision-language model (Lu et al., Section 3.2).
 *
 *  1. prompts.ts    what is asked: presets, one's own, one request for all
 *  2. strip.ts      where the key-frame strips come from
 *  3. provider.ts   what answers: providers.ts lists the kinds, each has a file
 *  4. cache.ts      descriptions.jsonl; claims.ts keeps two processes from paying twice
 *  5. check.ts      which answers to distrust
 *  6. cost.ts       prices, budgets; estimate.ts tells before
 *  7. describe.ts   the run: live.ts and batch.ts ask, gate.ts sets the pace
 *  8. exchange.ts   answers in and out of files; task.ts a captioning task for people
 *  9. manage.ts     show, edit, import; stats.ts what the answers look like as a whole
 */

export { exportTask } from "./annotation-task.ts"
export { type AnswerRecord, type ClipAnswers, formatAnswers, readRecords } from "./answer-formats.ts"
export { type Answer, answerKey, DescriptionCache, promptSpec, type Spec, specId } from "./cache.ts"
export { type Checks, checkAnswer, checksSchema, type Flag } from "./check.ts"
export { listPrices, type Price, parseBudget, readPrices } from "./cost.ts"
export { type DescribeOptions, describe, describeClips, estimateDescriptions } from "./describe.ts"
export type { Estimate } from "./estimate.ts"
export { folderStrips, type StripConfig, stripFile, stripFolder } from "./folder-strips.ts"
export { answersByClip, answersOf, editAnswer, importAnswers, withCache } from "./manage.ts"
export { type Prompt, type PromptSet, type PromptsConfig, presets, promptsSchema, resolvePrompts } from "./prompts.ts"
export {
  type BatchProvider,
  type DescribedClip,
  type LiveProvider,
  type Provider,
  ProviderError,
  type Question,
  type Reply,
} from "./provider.ts"
export { openProvider, type ProviderConfig, providerSchema } from "./providers.ts"
export type { DescribeReport, FlaggedAnswer } from "./report.ts"
export { describeStats, type PromptStats } from "./stats.ts"
export type { StripSource } from "./strip.ts"
