//! The `OpenAPI` document: what the handlers say of themselves, and what the door may answer in their place.

use std::sync::Arc;

use alveary_agent::protocol::{Problem, ProblemKind};
use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema, Type,
};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};

use super::app::App;
use super::older::Detail;
use super::refusal::Reader;
use super::routes;
use crate::error::{Error, Result};

/// The scheme by which tokens are shown.
const TOKEN: &str = "token";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "alveary coordinator",
        description = "Tasks go in, agents bid, work comes out. `/internal` and `/swarm` are the original's routes; \
                       `/v1` is everything beyond them.",
    ),
    tags(
        (name = "tasks", description = "Giving tasks and looking at them"),
        (name = "work", description = "An agent claims, lives and reports"),
        (name = "agents", description = "Who is there"),
        (name = "events", description = "What happens"),
        (name = "original", description = "The original's routes, to the letter"),
        (name = "watch", description = "Whether it is well"),
    ),
)]
struct Frame;

/// The document before any route has told of itself.
pub(crate) fn frame() -> OpenApi {
    Frame::openapi()
}

/// The document of every route that programs use, as JSON.
///
/// # Errors
///
/// Never in fact: a document is always JSON.
pub fn document() -> Result<String> {
    complete(routes::described().into_openapi())
        .to_pretty_json()
        .map_err(|error| {
            Error::new(
                ProblemKind::Internal,
                "the document cannot be written as JSON",
            )
            .with_cure("report this")
            .with_source(error)
        })
}

pub(crate) fn route(document: OpenApi) -> Router<App> {
    // Without a document there is no route, and who asks for it learns that.
    let Ok(json) = complete(document).to_json() else {
        return Router::new();
    };
    let json: Arc<str> = json.into();
    let answer = move || async move { ([(CONTENT_TYPE, "application/json")], json.to_string()) };
    Router::new().route("/openapi.json", get(answer))
}

/// What any request may be answered at the door, or while it is read.
const AT_THE_DOOR: [(&str, &str); 8] = [
    ("400", "it cannot be read"),
    ("401", "there is no token, or not a right one"),
    (
        "403",
        "the token is not for this, or another site's page sent it",
    ),
    ("408", "the body was too long in coming"),
    ("413", "the body is too long"),
    ("421", "this server has another name"),
    ("429", "there were too many requests of this caller"),
    ("503", "there is no place, or the coordinator ends"),
];

/// What a question that carries JSON to `/v1` may be answered besides.
const AT_THE_READING: [(&str, &str); 2] = [
    ("415", "the body is no JSON"),
    ("422", "the body is not what is asked for"),
];

fn complete(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        let reader = Reader::of(path);
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(method, path));
                straighten(operation);
                tell(operation, reader);
            }
        }
    }
    let components = api.components.take().unwrap_or_default();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut schemas = Vec::new();
    Detail::schemas(&mut schemas);
    Problem::schemas(&mut schemas);
    api.components = Some(
        ComponentsBuilder::from(components)
            .schema(Detail::name(), Detail::schema())
            .schema(Problem::name(), Problem::schema())
            .schemas_from_iter(schemas)
            .security_scheme(TOKEN, scheme)
            .build(),
    );
    api
}

/// What generated clients call an operation. Handlers of several routes bear one name, and these have to differ.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split('/').filter(|word| !word.is_empty());
    let words = words.map(|word| word.trim_matches(['{', '}']));
    let words: Vec<_> = [method].into_iter().chain(words).collect();
    words.join("_")
}

/// A header that may be left out is left out, and never the word `null`.
fn straighten(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        parameter.schema = parameter.schema.take().map(without_null);
    }
}

fn without_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::OneOf(mut either)) => {
            either.items.retain(|item| {
                let RefOr::T(Schema::Object(object)) = item else {
                    return true;
                };
                object.schema_type != SchemaType::Type(Type::Null)
            });
            match <[_; 1]>::try_from(either.items) {
                Ok([only]) => only,
                Err(items) => {
                    either.items = items;
                    RefOr::T(Schema::OneOf(either))
                }
            }
        }
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
            }
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

fn tell(operation: &mut Operation, reader: Reader) {
    let reading: &[_] = match reader {
        Reader::V1 => &AT_THE_READING,
        Reader::Older | Reader::Person => &[],
    };
    for (status, description) in AT_THE_DOOR.iter().chain(reading) {
        operation
            .responses
            .responses
            .entry((*status).to_owned())
            .or_insert_with(|| RefOr::T(refused(description, reader)));
    }
    let token = SecurityRequirement::new(TOKEN, Vec::<String>::new());
    operation.security = match reader {
        Reader::V1 => Some(vec![token]),
        Reader::Older => Some(vec![token, SecurityRequirement::default()]),
        Reader::Person => None,
    };
}

fn refused(description: &str, reader: Reader) -> Response {
    let (media_type, schema) = match reader {
        Reader::Older => ("application/json", Detail::name()),
        Reader::V1 => ("application/json", Problem::name()),
        Reader::Person => {
            return ResponseBuilder::new()
                .description(description)
                .content(
                    "text/plain",
                    ContentBuilder::new().schema(Some(String::schema())).build(),
                )
                .build();
        }
    };
    let schema = Ref::from_schema_name(schema);
    ResponseBuilder::new()
        .description(description)
        .content(
            media_type,
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
}
