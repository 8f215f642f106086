package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/app"
)

func healthCommand(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the running bridge whether it is well (for container and service checks)",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := s.quietly(c)
			if err != nil {
				return err
			}
			host, port := app.Port(cfg.HTTP.Listen)
			if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			client := http.Client{Timeout: 5 * time.Second}
			resp, err := client.Get("http://" + net.JoinHostPort(host, port) + cfg.HTTP.BasePath + "/healthz")
			if err != nil {
				return fmt.Errorf("the bridge does not answer: %w", err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("the bridge answers %s", resp.Status)
			}
			fmt.Fprintln(c.OutOrStdout(), "ok")
			return nil
		},
	}
}
