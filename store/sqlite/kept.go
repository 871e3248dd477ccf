package sqlite

import "database/sql"

// keptStatement lives as long as the writer's connection.
type keptStatement struct{ *sql.Stmt }

// kept is a statement of the writer's connection, prepared when it is first needed.
func (w *writer) kept(statement string) (keptStatement, error) {
	if stmt := w.more[statement]; stmt != nil {
		return keptStatement{stmt}, nil
	}
	stmt, err := w.conn.PrepareContext(background, statement)
	if err != nil {
		return keptStatement{}, err
	}
	if w.more == nil {
		w.more = map[string]*sql.Stmt{}
	}
	w.more[statement] = stmt
	return keptStatement{stmt}, nil
}

func (w *writer) dropKept() {
	for _, stmt := range w.more {
		_ = stmt.Close()
	}
	w.more = nil
}
