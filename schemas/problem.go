package schemas

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/holdfast-sync/holdfast"
)

const broken = "The payload breaks the schema registered for its type and version."

// maxPlaces bounds how many violations a problem tells.
const maxPlaces = 20

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// problem is the wire form (RFC 9457).
type problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	Code      string  `json:"code"`
	Retryable bool    `json:"retryable"`
	Errors    []place `json:"errors"`
}

// place is one thing that is wrong, and where.
type place struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func whole(detail string) place { return place{Pointer: "/payload", Detail: detail} }

func violation(detail string, at ...place) []byte {
	text, err := json.Marshal(problem{
		Type: "/problems/" + string(holdfast.CodeSchemaViolation), Title: "The payload breaks its schema",
		Status: http.StatusUnprocessableEntity, Detail: detail, Code: string(holdfast.CodeSchemaViolation), Errors: at,
	})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

func item(list []any, index string) any {
	if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(list) {
		return list[i]
	}
	return nil
}

// places lists the violations in the order of their pointers, each once.
func places(e *jsonschema.ValidationError, payload any, known names) []place {
	var found []place
	collect(e, func(location []string, detail string) {
		found = append(found, place{known.pointer(location, payload), detail})
	})
	slices.SortFunc(found, func(a, b place) int {
		return strings.Compare(a.Pointer+"\n"+a.Detail, b.Pointer+"\n"+b.Detail)
	})
	found = slices.Compact(found)
	return found[:min(len(found), maxPlaces)]
}

// collect reports the leaves of the tree of causes. What hangs below a choice
// (anyOf, oneOf, not, contains) only says why each branch failed; the choice
// itself is what is reported.
func collect(e *jsonschema.ValidationError, report func(location []string, detail string)) {
	requires := func(names []string) {
		for _, name := range names {
			report(append(slices.Clone(e.InstanceLocation), name), "is required")
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			collect(cause, report)
		}
	case *kind.Required:
		requires(k.Missing)
	case *kind.DependentRequired:
		requires(k.Missing)
	case *kind.Dependency:
		requires(k.Missing)
	case *kind.PropertyNames:
		report(append(slices.Clone(e.InstanceLocation), k.Property), "has a name that is not allowed")
	default:
		report(e.InstanceLocation, detail(k))
	}
}

// detail says what a rule asks for. It takes limits from the schema and nothing
// from the payload.
func detail(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + strings.Join(k.Want, " or ")
	case *kind.Enum, *kind.Const:
		return "is not one of the values allowed"
	case *kind.Format:
		return "must have the format " + k.Want
	case *kind.Pattern:
		return "must match the pattern"
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.AdditionalItems:
		return "has more items than are allowed"
	case *kind.UniqueItems:
		return fmt.Sprintf("repeats item %d as item %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d members", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members", k.Want)
	case *kind.AdditionalProperties:
		return "has members that are not allowed"
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.Contains, *kind.MinContains, *kind.MaxContains:
		return "has too few or too many items of a kind"
	case *kind.AnyOf:
		return "matches none of the alternatives"
	case *kind.OneOf:
		return "must match exactly one of the alternatives"
	case *kind.Not:
		return "is what must not be"
	case *kind.FalseSchema:
		return "must not be there"
	}
	return "breaks the schema"
}

// number writes a limit of the schema; 17 digits tell every float64 apart.
func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
