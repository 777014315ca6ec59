/** The metrics page of a gateway, read: one value for each name with its labels. */
export class Metrics {
  readonly #values = new Map<string, number>();

  private constructor(text: string) {
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const at = line.lastIndexOf(" ");
      this.#values.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
  }

  static async read(admin: string): Promise<Metrics> {
    return new Metrics(await (await fetch(`${admin}/metrics`)).text());
  }

  /** The sum over all labels that contain these words (`route="chat"`, say). */
  sum(name: string, ...labels: readonly string[]): number {
    let sum = 0;
    for (const [key, value] of this.#values) {
      const isIt = key === name || key.startsWith(`${name}{`);
      if (isIt && labels.every((label) => key.includes(label))) sum += value;
    }
    return sum;
  }
}
