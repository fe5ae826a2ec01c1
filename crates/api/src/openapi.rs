//! `openapi.yaml`: generated from the handlers, completed with what every operation has in common.

use crate::edge::X_REQUEST_ID;
use crate::guard::IDEMPOTENCY_KEY;
use crate::routes;
use certwright_wire as wire;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

/// The description of the whole API as YAML.
pub fn openapi_yaml() -> String {
    // The document is made of texts, numbers and lists: writing it cannot fail.
    describe().to_yaml().unwrap_or_default()
}

/// The same, made once; what the server serves.
pub(crate) fn shared_yaml() -> &'static str {
    static YAML: LazyLock<String> = LazyLock::new(openapi_yaml);
    &YAML
}

/// A body of bytes, in the description.
pub(crate) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let bytes = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("Bytes of the media type."));
        RefOr::T(Schema::Object(bytes.build()))
    }
}

impl ToSchema for Binary {}

const DESCRIPTION: &str = "\
Certwright is a self-hosted certificate authority. Every `{vault}`, `{key}`, `{ca}`, `{certificate}`, `{profile}`, `{bundle}`, \
`{webhook}`, `{compartment}`, `{user}`, `{group}` and `{policy}` takes a name or an id.

* **Times** are RFC 3339 in UTC, **durations** ISO 8601 (`P90D`, `PT12H`; `90d`, `12h`, `30m` also in), **serials** lower-case hex \
(colons, blanks and upper case are ignored in).
* **Errors** are RFC 9457 problem documents with a stable `code`, a `hint`, and every fault in `errors`.
* **Lists** have `limit` (at most 500) and an opaque `cursor`; `nextCursor` and `Link: rel=\"next\"` lead on.
* **ETag** stands on single resources; `If-None-Match` saves the body; `If-Match` is required to change CAs, certificates, profiles, \
CA bundles, webhooks and policies.
* **Idempotency-Key** on any POST: the same key with the same request gets the first answer again (with \
`Idempotency-Replayed: true`) for 24 hours.
* **`?dryRun=true`** on any write judges everything and changes nothing; the answer is `{\"dryRun\": true, \"wouldBe\": …, \"rules\": […]}` \
with status 200, or the problem that the real call would have got.
* **Formats** of certificates are chosen by `Accept` or `?format=`.";

/// Statuses and what they mean, as reusable responses.
const PROBLEMS: [(&str, &str, &str); 16] = [
    ("400", "Malformed", "The request is malformed; every fault is listed with its place."),
    ("401", "Unauthenticated", "Who are you? No token, or one that is unknown, expired or revoked."),
    ("403", "Forbidden", "Known, but not allowed."),
    ("404", "NotFound", "Absent or invisible."),
    ("405", "MethodNotAllowed", "The path does not know the method; `Allow` lists those it knows."),
    ("406", "NotAcceptable", "The answer does not exist in the format asked for; those that exist are listed."),
    ("409", "Conflict", "The state does not allow it, or the idempotency key belongs to another request."),
    ("412", "PreconditionFailed", "`If-Match` named another revision; `ETag` is the one now."),
    ("413", "BodyTooLarge", "The body is larger than the server takes."),
    ("415", "UnsupportedMediaType", "Wrong content type; the hint names the curl flag that mends it."),
    (
        "422",
        "Rejected",
        "Rules refused; every broken rule is listed with limit, value and the smallest change that would pass.",
    ),
    ("428", "PreconditionRequired", "`If-Match` is required and missing; `ETag` is the revision now."),
    ("429", "TooManyRequests", "The caller has too many requests in flight; see `Retry-After`."),
    ("500", "Internal", "Our fault; the log knows more under the request id."),
    ("503", "Unavailable", "Not now, for example because the database is away; see `Retry-After`."),
    ("default", "Problem", "Any other problem."),
];

fn describe() -> OpenApi {
    let mut api = routes::guarded().into_openapi();
    let guarded: Vec<String> = api.paths.paths.keys().cloned().collect();
    let open = routes::open().into_openapi();
    // The router marks a parameter that takes the rest of the path; OpenAPI has no word for it.
    api.paths.paths.extend(open.paths.paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)));
    if let (Some(components), Some(more)) = (api.components.as_mut(), open.components) {
        components.schemas.extend(more.schemas);
    }
    let mut schemas = Vec::new();
    wire::Problem::schemas(&mut schemas);
    schemas.push((wire::Problem::name().into_owned(), wire::Problem::schema()));
    let mut components = api.components.take().unwrap_or_default();
    components.schemas.extend(schemas);
    components
        .responses
        .extend(PROBLEMS.map(|(status, name, text)| (name.to_owned(), RefOr::T(problem(status, text)))));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token: the administrator's from the first start, or one made under /v1/tokens."));
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    components.schemas.iter_mut().for_each(|(name, schema)| refer(name, schema));
    for (path, item) in &mut api.paths.paths {
        complete(item, path, guarded.contains(path));
    }
    OpenApiBuilder::new().info(info()).tags(Some(tags())).paths(api.paths).components(Some(components)).build()
}

/// Pages and trials of a resource refer to its schema instead of repeating it.
fn refer(name: &str, schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    if let Some(item) = name.strip_prefix("List_") {
        let items = ArrayBuilder::new()
            .items(Ref::from_schema_name(item))
            .description(Some("The items, in the order of the list."));
        object.properties.insert("items".to_owned(), items.into());
    } else if let Some(item) = name.strip_prefix("DryRun_").filter(|item| !item.starts_with("Option_")) {
        object.properties.insert("wouldBe".to_owned(), RefOr::Ref(Ref::from_schema_name(item)));
    }
}

fn info() -> utoipa::openapi::Info {
    InfoBuilder::new()
        .title("Certwright")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build()
}

fn tags() -> Vec<utoipa::openapi::Tag> {
    let tags = [
        ("vaults", "Vaults hold master keys under a key of their own."),
        ("keys", "Master keys and their versions."),
        ("certificate-authorities", "CAs, their versions, chains and rules."),
        ("issuing", "Certificates in one call: with a key of ours, or for a CSR."),
        ("inventory", "Every certificate that was ever signed."),
        ("certificates", "Named certificates with versions, renewed in time."),
        ("profiles", "What certificates may be."),
        ("ca-bundles", "Named sets of foreign CA certificates."),
        ("access", "Compartments, users, groups, policies, tokens."),
        ("acme", "ACME directories, their accounts and orders, keys for external account bindings."),
        ("audit", "Who changed what."),
        ("events", "What happened, and the webhooks that are told."),
        ("root-key", "The key above all vaults."),
        ("open", "Open to all, without a token."),
    ];
    tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build()).into()
}

/// What operations of a path have in common: the header of the request's id, problems, and, unless the path is open, the
/// token.
fn complete(item: &mut PathItem, path: &str, guarded: bool) {
    let in_path = path.contains('{');
    let required = |method: &str| {
        matches!(
            (method, path),
            (
                "patch",
                "/v1/certificate-authorities/{ca}"
                    | "/v1/certificates/{certificate}"
                    | "/v1/webhooks/{webhook}"
                    | "/v1/policies/{policy}"
            ) | ("put", "/v1/profiles/{profile}" | "/v1/ca-bundles/{bundle}" | "/v1/acme-directories/{directory}")
        )
    };
    let operations = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ];
    for (method, operation) in operations {
        if let Some(operation) = operation {
            complete_operation(operation, method, in_path, guarded, required(method));
        }
    }
}

fn complete_operation(operation: &mut Operation, method: &str, in_path: bool, guarded: bool, needs_if_match: bool) {
    let has_parameter = |operation: &Operation, name: &str| {
        let parameters = operation.parameters.as_deref().unwrap_or_default();
        parameters.iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
    };
    let mut statuses = vec!["400", "405", "500", "503"];
    let mut headers =
        vec![header(X_REQUEST_ID.as_str(), "Id for the request: `[A-Za-z0-9._-]{1,64}`; made when missing.", false)];
    if in_path || has_parameter(operation, "issuer") || has_parameter(operation, "ca") {
        statuses.push("404");
    }
    if guarded {
        statuses.extend(["401", "403", "429"]);
        operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    } else {
        operation.security = Some(Vec::new());
    }
    if has_parameter(operation, "format") {
        statuses.push("406");
    }
    if method != "get" {
        statuses.extend(["413", "415"]);
        if guarded {
            statuses.extend(["409", "422"]);
        }
    }
    if method == "post" && guarded {
        headers.push(header(
            IDEMPOTENCY_KEY.as_str(),
            "1 to 255 visible ASCII characters; the same request under the same key is done once.",
            false,
        ));
    }
    let named = operation.operation_id.as_deref();
    let guarded_deletion = matches!(
        named,
        Some(
            "deleteProfile"
                | "deleteCaBundle"
                | "deleteWebhook"
                | "deleteCompartment"
                | "deleteUser"
                | "deleteGroup"
                | "deleteDynamicGroup"
                | "deletePolicy"
        )
    );
    // `ensure` and a membership say what is to be, whatever is there.
    if (matches!(method, "patch" | "put") && !matches!(named, Some("ensureCertificate" | "addMember")))
        || guarded_deletion
    {
        statuses.push("412");
        headers.push(header("if-match", "ETag of the resource as the caller saw it, or `*`.", needs_if_match));
    }
    if needs_if_match {
        statuses.push("428");
    }
    if method == "get" && guarded && in_path {
        headers.push(header("if-none-match", "ETag that the caller has; 304 when it is still the same.", false));
        let unchanged = ResponseBuilder::new().description("The caller has it already").build();
        operation.responses.responses.insert("304".to_owned(), RefOr::T(unchanged));
    }
    operation.parameters.get_or_insert_default().extend(headers.into_iter().map(RefOr::T));
    for (status, name, _) in PROBLEMS.iter().filter(|(status, ..)| statuses.contains(status)) {
        let reference = Ref::from_response_name(*name);
        operation.responses.responses.insert((*status).to_owned(), RefOr::Ref(reference));
    }
}

fn header(name: &str, description: &str, required: bool) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(if required { Required::True } else { Required::False })
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn problem(status: &str, description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(wire::Problem::name()))).build();
    let mut headers: BTreeMap<&str, (&str, Type)> =
        BTreeMap::from([("X-Request-Id", ("Id of the request.", Type::String))]);
    match status {
        "401" => headers.insert("WWW-Authenticate", ("`Bearer`.", Type::String)),
        "405" => headers.insert("Allow", ("Methods that the path knows.", Type::String)),
        "412" | "428" => headers.insert("ETag", ("The revision now.", Type::String)),
        "429" | "503" => headers.insert("Retry-After", ("Seconds to wait.", Type::Integer)),
        _ => None,
    };
    let response = ResponseBuilder::new().description(description).content("application/problem+json", content);
    let with = |response: ResponseBuilder, (name, (text, kind)): (&str, (&str, Type))| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        response.header(name, HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build())
    };
    headers.into_iter().fold(response, with).build()
}
