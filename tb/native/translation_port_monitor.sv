// Logs every request and response that moves on an IOMMU translation port (docs/interfaces.md section 3).
module translation_port_monitor #(
    parameter int ID_W = 8   // width of the request id
) (
    input bit              clk_i,
    input logic            rst_i,
    input bit [63:0]       cycle_i,
    input logic            req_valid_i,
    input logic            req_ready_i,
    input logic [ID_W-1:0] req_id_i,
    input logic [23:0]     req_did_i,
    input logic            req_pv_i,
    input logic [19:0]     req_pid_i,
    input logic            req_priv_i,
    input logic            req_exec_i,
    input logic [1:0]      req_at_i,
    input logic            req_wr_i,
    input logic            req_nw_i,
    input logic [63:0]     req_iova_i,
    input logic            rsp_valid_i,
    input logic            rsp_ready_i,
    input logic [ID_W-1:0] rsp_id_i,
    input logic [1:0]      rsp_status_i,
    input logic [58:0]     rsp_spa_i,
    input logic [1:0]      rsp_pbmt_i,
    input logic [7:0]      rsp_permissions_i,
    input logic [5:0]      rsp_size_i,
    input logic            rsp_mrif_i,
    input logic [10:0]     rsp_mrif_nid_i,
    input logic [43:0]     rsp_mrif_nppn_i
);
  import "DPI-C" context function void sluicegate_translation_request(
      input longint cycle, input int id, input int device_id, input int process_id, input int bits, input longint iova);
  import "DPI-C" context function void sluicegate_translation_response(
      input longint cycle, input int id, input int bits, input longint spa, input int mrif_nid, input longint mrif_nppn);

  always @(posedge clk_i) begin
    if (!rst_i) begin
      if (req_valid_i && req_ready_i)
        sluicegate_translation_request(
            cycle_i, 32'(req_id_i), 32'(req_did_i), 32'(req_pid_i),
            {22'd0, req_at_i, 3'd0, req_nw_i, req_wr_i, req_exec_i, req_priv_i, req_pv_i}, req_iova_i);
      if (rsp_valid_i && rsp_ready_i)
        sluicegate_translation_response(
            cycle_i, 32'(rsp_id_i),
            {7'd0, rsp_mrif_i, 2'd0, rsp_size_i, rsp_permissions_i, 2'd0, rsp_pbmt_i, 2'd0, rsp_status_i},
            64'(rsp_spa_i), 32'(rsp_mrif_nid_i), 64'(rsp_mrif_nppn_i));
    end
  end
endmodule
