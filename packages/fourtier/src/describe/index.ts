/**
 * `fourtier/describe`: descriptions of clips by a vision-language model (Lu et al., Section 3.2).
 *
 *  1. prompts.ts         what is asked: presets, prompts of one's own, all in one request; settings.ts has the schemas
 *  2. strip.ts           where strips of key frames come from; folder-strips.ts makes and keeps them
 *  3. provider.ts        what answers; providers.ts lists the kinds, and opens one
 *  4. cache.ts           descriptions.jsonl; leases.ts keeps two processes from paying twice
 *  5. check.ts           which answers not to trust; refusal.ts and reasoning.ts know refusals, and what a model thinks aloud
 *  6. cost.ts            prices; budget.ts limits the cost, estimate.ts tells it beforehand
 *  7. describe.ts        a run: plan.ts says what to ask, live.ts and batch.ts ask, cache-sink.ts keeps the answers
 *  8. answer-formats.ts  answers in files; annotation-task.ts exports questions for people
 *  9. manage.ts          show, edit, import; beside.ts the answers beside the data; stats.ts the answers as a whole
 *
 * @module
 */

export { exportAnnotationTask } from "./annotation-task.ts"
export { type AnswerRecord, type ClipAnswers, formatAnswers, readRecords } from "./answer-formats.ts"
export { answersBeside, type Imported, importBeside, readBeside } from "./beside.ts"
export { parseBudget } from "./budget.ts"
export { type Answer, answerKey, DescriptionCache, mergeAnswers, promptSpec, type Spec, specId } from "./cache.ts"
export { type Checks, checkAnswer, checksSchema, type Flag, judgeReply } from "./check.ts"
export { Contradictions } from "./contradictions.ts"
export { listPrices, type Price } from "./cost.ts"
export { countPending, describe, describeClips, estimateDescriptions } from "./describe.ts"
export type { Estimate } from "./estimate.ts"
export { folderStrips, PERSON_HEIGHT, personStrips, type StripConfig, stripFile, stripFolder } from "./folder-strips.ts"
export {
  answersAbout,
  answersByClip,
  answersOf,
  editAnswer,
  importAnswers,
  type KnownClip,
  withCache,
} from "./manage.ts"
export type { DescribeOptions } from "./options.ts"
export { readPrices } from "./price-file.ts"
export type { PresetName } from "./prompt-settings.ts"
export { type Prompt, type PromptSet, presets, resolvePrompts } from "./prompts.ts"
export {
  type BatchProgress,
  type BatchProvider,
  type BatchResult,
  type DescribedClip,
  type LiveProvider,
  type Provider,
  ProviderError,
  type Question,
  type Reply,
  type Setting,
} from "./provider.ts"
export { openProvider } from "./providers.ts"
export { type Stripped, stripReasoning } from "./reasoning.ts"
export type { DescribeReport, FailedQuestion, FlaggedAnswer } from "./report.ts"
export { type PromptsConfig, type ProviderConfig, promptsSchema, providerSchema } from "./settings.ts"
export { describeStats, type PromptStats } from "./stats.ts"
export type { StripSettings, StripSource } from "./strip.ts"
export { takeOverAnswers } from "./take-over.ts"
