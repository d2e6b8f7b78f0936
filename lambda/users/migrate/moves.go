package migrate

import (
	"context"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// moves looks at the table of moves, and says whether it must be made.
func moves(ctx context.Context, q querier, l layout) (missing bool, findings []Finding, err error) {
	if l.Moved != table.Adopt {
		return false, nil, nil
	}
	c, err := describe(ctx, q, l.d, l.Moves)
	if err != nil {
		return false, nil, err
	}
	if !c.exists {
		return true, []Finding{{Code: MovesMissing, Severity: Info, Text: "the table " + l.Moves + " is missing", Do: "apply the plan"}}, nil
	}
	if fault := movesFault(l.d, c); fault != "" {
		return false, []Finding{{Code: MovesWrong, Severity: Blocks, Text: "the table " + l.Moves + " " + fault, Do: "configure another name for the table of moves"}}, nil
	}
	return false, nil, nil
}

var movesColumns = []string{table.MovesID, table.MovesUser, table.MovesProvider, table.MovesFrom, table.MovesTo, table.MovesAt}

// movesFault is "" or why a record cannot be written.
func movesFault(d Dialect, c catalog) string {
	if c.problem != "" {
		return "cannot be used: " + c.problem
	}
	for _, name := range movesColumns {
		if _, ok := c.column(d, name); !ok {
			return "has no column " + name
		}
	}
	for _, col := range c.columns {
		own := false
		for _, name := range movesColumns {
			own = own || sameName(d, name, col.name)
		}
		if !own && col.notNull && !col.hasDefault && !col.generated {
			return "has a column " + col.name + " that must have a value"
		}
	}
	if id, _ := c.column(d, table.MovesID); !id.hasDefault {
		return "does not number its column " + table.MovesID
	}
	return ""
}
