// The types that the portal's modules share. `make portal` generates those of the API's responses (`Api`) from its OpenAPI
// document.

/** A child of an element. undefined, null and false show nothing. */
type Child = Node | string | number | false | null | undefined | Child[];

/** A click, as the listening element gets it. */
type Click = MouseEvent & { currentTarget: HTMLElement };

/** An element's attributes and event listeners. */
interface Properties {
  onclick?: (event: Click) => unknown;
  onkeydown?: (event: KeyboardEvent) => unknown;
  onsubmit?: (event: SubmitEvent) => unknown;
  [name: string]: string | number | boolean | null | undefined | ((event: any) => unknown);
}

/** An element of a guide: its tag, its attributes, and its children. */
type GuideElement = [tag: string, attributes: Record<string, string | number>, ...children: GuideNode[]];
type GuideNode = string | GuideElement;

/** A page of the documentation about senders, by the name of its file. Its title is its first heading. */
interface Guide {
  name: string;
  title: string;
  blocks: GuideElement[];
}

/** A table's column: its title, a row's cell, and its classes. */
type Column<T> = [title: string, view: (row: T) => Child, kind?: string];

/** A control of a form; its value is a V. */
interface Control<V = any> {
  name: string;
  element: HTMLElement;
  read(): V;
  write(value: V): void;
  /** Adds an error of the API, which stays until the value changes; without a text, removes it. */
  addError(text?: string): void;
  /** Whether the value is valid; a message is shown if not. */
  check(): boolean;
  focus(): void;
}

/** Controls under a heading, or an element between controls. */
interface Part {
  element: HTMLElement;
  controls: Field[];
}
type Field = Control | Part;

/** The options of every control. */
interface Options<V = any> {
  name?: string;
  label: string;
  value?: V;
  help?: string | null | false;
  required?: boolean;
  placeholder?: string;
  /** A message if the value is invalid. */
  check?: (value: V) => string | undefined;
}

/** An option of a select: a value and its label, or a group's label and its options. */
type Choice = [value: string, label: string | [value: string, label: string][]];

/** A column of `rows`: the member's name, its label, and a function that creates its control. */
type Cells = [name: string, label: string, create: (value: any) => HTMLElement];

/** A form's values by the names of their controls. */
type Values = Record<string, any>;

/** The member `data` of an answer. */
type Data<Answer> = Answer extends { data: infer D } ? D : Answer;

/** The answer of the first call that the path matches. */
type Answered<Calls, Path> = Path extends unknown
  ? Calls extends [[infer Fits, infer Answer], ...infer Rest] ? (Path extends Fits ? Answer : Answered<Rest, Path>) : never
  : never;

/** A page of a list. */
interface Page<T> {
  data: T[];
  pagination: Api.Pagination;
}

type Query = Record<string, string | number | null | undefined>;
type Paths<Calls extends [string, unknown][]> = Calls[number][0];
type Row<Path> = Answered<Api.GetCalls, Path> extends Page<infer T> ? T : never;

type Get = <P extends Paths<Api.GetCalls>>(path: P) => Promise<Data<Answered<Api.GetCalls, P>>>;
type GetPage = <P extends Paths<Api.GetCalls>>(path: P, query?: Query) => Promise<Page<Row<P>>>;
type GetAll = <P extends Paths<Api.GetCalls>>(path: P, pages?: number) => Promise<Row<P>[]>;
type Post = <P extends Paths<Api.PostCalls>>(path: P, body?: object) => Promise<Data<Answered<Api.PostCalls, P>>>;
type PostFull = <P extends Paths<Api.PostCalls>>(path: P, body?: object) => Promise<Answered<Api.PostCalls, P>>;
type Put = <P extends Paths<Api.PutCalls>>(path: P, body: object) => Promise<Data<Answered<Api.PutCalls, P>>>;
type Patch = <P extends Paths<Api.PatchCalls>>(path: P, body: object) => Promise<Data<Answered<Api.PatchCalls, P>>>;
type Remove = (path: Paths<Api.DeleteCalls>) => Promise<unknown>;
