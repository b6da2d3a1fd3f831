import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { fencesOf, REPOSITORY } from './markdown.js';

const run = promisify(execFile);

/** The TypeScript examples of a page, compiled under the rules of the repository; they are removed again by disposal. */
export class CompiledExamples implements AsyncDisposable {
  /** `upload.ts`, in the order of the page. */
  readonly names: readonly string[];
  readonly #directory: string;

  private constructor(directory: string, names: readonly string[]) {
    this.#directory = directory;
    this.names = names;
  }

  /** Compiles every fenced block whose first line is three backquotes and `ts NAME.ts`. @throws what the compiler says */
  static async of(page: string): Promise<CompiledExamples> {
    // below the repository, so that the packages are found, and the rules
    const parent = path.join(REPOSITORY, 'build', 'docs-examples');
    await mkdir(parent, { recursive: true });
    const directory = await mkdtemp(path.join(parent, 'page-'));
    const examples = fencesOf(page, 'ts').filter(({ label }) => label !== '');
    const config = {
      extends: '../../../tsconfig.base.json',
      compilerOptions: {
        composite: false,
        declaration: false,
        declarationMap: false,
        sourceMap: false,
        rootDir: '.',
        outDir: 'out',
        typeRoots: ['../../../node_modules/@types'],
      },
      include: ['*.ts'],
    };
    await writeFile(path.join(directory, 'tsconfig.json'), JSON.stringify(config));
    for (const { label, text } of examples) await writeFile(path.join(directory, label), text);
    const compiled = new CompiledExamples(
      directory,
      examples.map(({ label }) => label),
    );
    try {
      const compiler = path.join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
      await run(process.execPath, [compiler, '-p', directory]);
    } catch (error) {
      await compiled[Symbol.asyncDispose]();
      throw new Error(`the examples do not compile: ${(error as { stdout?: string }).stdout}`, { cause: error });
    }
    return compiled;
  }

  /** The compiled file of an example. */
  file(name: string): string {
    return path.join(this.#directory, 'out', name.replace(/\.ts$/, '.js'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}
