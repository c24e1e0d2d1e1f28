// Drives the IOMMU's translation port (docs/interfaces.md section 3) with the native queue of requests, one per cycle at most.
module translation_port_initiator #(
    parameter int ID_W = 8   // width of the request id
) (
    input  bit            clk_i,
    input  bit            rst_i,
    input  bit [63:0]     cycle_i,
    output bit            req_valid_o,
    input  logic          req_ready_i,
    output bit [ID_W-1:0] req_id_o,
    output bit [23:0]     req_did_o,
    output bit            req_pv_o,
    output bit [19:0]     req_pid_o,
    output bit            req_priv_o,
    output bit            req_exec_o,
    output bit [1:0]      req_at_o,
    output bit            req_wr_o,
    output bit            req_nw_o,
    output bit [63:0]     req_iova_o,
    output bit            rsp_ready_o
);
  import "DPI-C" context function int sluicegate_translation_next(
      input longint cycle, output int id, output int device_id, output int process_id, output int bits, output longint iova);
  import "DPI-C" context function int sluicegate_translation_ready(input longint cycle);

  int id;
  int device_id;
  int process_id;
  int bits;
  longint iova;

  always @(posedge clk_i) begin
    if (rst_i) begin
      req_valid_o <= 1'b0;
      rsp_ready_o <= 1'b0;
    end else begin
      rsp_ready_o <= sluicegate_translation_ready(cycle_i) != 0;
      if (!req_valid_o || req_ready_i) begin
        req_valid_o <= 1'b0;
        if (sluicegate_translation_next(cycle_i, id, device_id, process_id, bits, iova) != 0) begin
          req_valid_o <= 1'b1;
          req_id_o <= id[ID_W-1:0];
          req_did_o <= device_id[23:0];
          req_pid_o <= process_id[19:0];
          req_pv_o <= bits[0];
          req_priv_o <= bits[1];
          req_exec_o <= bits[2];
          req_wr_o <= bits[3];
          req_nw_o <= bits[4];
          req_at_o <= bits[9:8];
          req_iova_o <= iova;
        end
      end
    end
  end
endmodule
