package main

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	nodeDir     = "node" // beside this file
	nodeLibrary = "aws-jwt-verify"
	oldestNode  = 18 // what aws-jwt-verify asks for
)

// errNoNode says what is missing on this machine.
var errNoNode = errors.New("aws-jwt-verify is not here")

// node is a process of Node with aws-jwt-verify. It is safe for concurrent
// use; commands run one after another.
type node struct {
	cmd    *exec.Cmd
	mu     sync.Mutex // guards stdin and stdout
	stdin  io.WriteCloser
	stdout *bufio.Reader
	// Versions of Node and of aws-jwt-verify.
	version, library string
}

// startNode starts the process, or returns errNoNode. It ends with ctx, or by
// close, and trusts the certificate, if any, of the key server given.
func startNode(ctx context.Context, trust *keyServer) (*node, error) {
	path, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("%w: no node in PATH", errNoNode)
	}
	if _, err := os.Stat(filepath.Join(nodeDir, "node_modules", nodeLibrary)); err != nil {
		return nil, fmt.Errorf("%w: run npm ci in %s", errNoNode, nodeDir)
	}
	n := &node{cmd: exec.CommandContext(ctx, path, "server.mjs")} //nolint:gosec // node, from PATH
	n.cmd.Dir = nodeDir
	n.cmd.Stderr = os.Stderr
	if trust != nil && trust.Certificate() != nil {
		file, err := writeCertificate(trust)
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.Remove(file) }() // read at its start
		n.cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+file)
	}
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	n.stdout = bufio.NewReader(stdout)
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	var v struct{ Node, Library string }
	if err := n.call("version", nil, &v); err != nil {
		n.close()
		return nil, err
	}
	n.version, n.library = v.Node, v.Library
	major, _, _ := strings.Cut(v.Node, ".")
	if m, err := strconv.Atoi(major); err != nil || m < oldestNode {
		n.close()
		return nil, fmt.Errorf("%w: Node %s is older than %d", errNoNode, v.Node, oldestNode)
	}
	return n, nil
}

func writeCertificate(s *keyServer) (string, error) {
	f, err := os.CreateTemp("", "keyserver-*.pem")
	if err != nil {
		return "", err
	}
	err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return f.Name(), errors.Join(err, f.Close())
}

// close ends the process: it ends when its input does.
func (n *node) close() {
	_ = n.stdin.Close()
	ended := make(chan struct{})
	go func() {
		_ = n.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second): // a fetch may still hang
		_ = n.cmd.Process.Kill()
		<-ended
	}
}

// call runs a command of server.mjs.
func (n *node) call(op string, args map[string]any, result any) error {
	message := map[string]any{"op": op}
	for k, v := range args {
		message[k] = v
	}
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	answer, err := n.stdout.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("node: %s: %w", op, err)
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(answer, &failed); err != nil {
		return fmt.Errorf("node: %s: %w", op, err)
	}
	if failed.Error != "" {
		return fmt.Errorf("node: %s: %s", op, failed.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}

// create makes the verifiers of the pool anew, with keys given or fetched.
func (n *node) create(jwks []byte, jwksURL string) error {
	args := map[string]any{"userPoolId": poolID, "clientId": clientID}
	if jwks != nil {
		args["jwks"] = json.RawMessage(jwks)
	}
	if jwksURL != "" {
		args["jwksURL"] = jwksURL
	}
	return n.call("create", args, nil)
}

// timing is what a slice answers.
type timing struct {
	N  int
	NS int64
}

func (t timing) perOp() float64 { return float64(t.NS) / float64(max(t.N, 1)) }
