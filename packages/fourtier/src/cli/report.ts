/** `fourtier report <run…>`: the page of a run or several, made anew from the files in their folders, or kept up to date. */

import { Command } from "commander"
import { wholeNumberIn } from "./options.ts"

export const reportCommand = () =>
  new Command("report")
    .description("make report.html anew, for one run or several, without data or training")
    .argument("<run...>", "folders of runs")
    .option("-o, --out <file>", "the page (default: report.html in the run, or here for several)")
    .option("--serve", "show it in a browser on this machine and keep it up to date while the runs train")
    .option("--port <n>", "port of --serve; 0: any that is free", wholeNumberIn(0, 65535), 0)
    .action(async (runs: string[], options: { out?: string; serve?: boolean; port: number }) => {
      const { makeReport } = await import("./actions/report.ts")
      await makeReport(runs, options)
    })
